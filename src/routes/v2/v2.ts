import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import { answerErrors } from '../../plugins/errors.ts'
import type { Problem } from '../../plugins/problem.ts'
import infer, { type InferRoutes } from './infer.ts'
import models, { sendObject } from './models.ts'
import repositoryRoutes, { type Repository } from './repository.ts'
import statistics, { type StatisticsRoutes } from './statistics.ts'
import type { Registry } from '../../model/registry.ts'

export interface InferenceRoutes extends InferRoutes {
  readonly registry: Registry
  readonly version: string
  /** Left out if clients may not load models. */
  readonly repository: Repository | undefined
  /** Left out if clients may not read the metrics. */
  readonly snapshot: StatisticsRoutes['snapshot'] | undefined
}

/**
 * The Open Inference Protocol, version 2, as Triton and KServe implement it. Its errors have their own format. It is not in the
 * OpenAPI document: the protocol has clients already, and clients generated from the document have all of this under better names.
 */
const routes: FastifyPluginAsync<InferenceRoutes> = async (app, { registry, sessions, json, large, version, repository, snapshot }) => {
  answerErrors(app, sendError, 'docs/openinference.md lists the paths of the Open Inference Protocol')
  const extensions = ['binary_tensor_data', 'sequence', ...(snapshot === undefined ? [] : ['statistics']), ...(repository === undefined ? [] : ['model_repository'])]
  await app.register(models, { version, extensions })
  await app.register(infer, { sessions, json, large })
  if (snapshot !== undefined) await app.register(statistics, { registry, snapshot })
  if (repository !== undefined) await app.register(repositoryRoutes, { prefix: '/repository', registry, repository })
}

function sendError (reply: FastifyReply, { status, detail }: Problem): FastifyReply {
  if (status === 503) reply.header('retry-after', '1')
  return sendObject(reply.code(status), { error: detail })
}

export default routes
