import type { FastifyPluginAsync, FastifyReply } from 'fastify'
import { answerErrors } from '../../plugins/errors.ts'
import type { Problem } from '../../plugins/problem.ts'
import infer, { type InferRoutes } from './infer.ts'
import models, { sendObject } from './models.ts'

/**
 * The Open Inference Protocol, version 2, as Triton and KServe speak it. Its errors have a form of their own. It is not in the OpenAPI document:
 * its clients are there already, and those that are made from the document have all of this by better names.
 */
const routes: FastifyPluginAsync<InferRoutes & { version: string }> = async (app, { registry, sessions, json, version }) => {
  answerErrors(app, sendError, 'docs/openinference.md lists the paths of the Open Inference Protocol')
  await app.register(models, { registry, version })
  await app.register(infer, { registry, sessions, json })
}

function sendError (reply: FastifyReply, { status, detail }: Problem): FastifyReply {
  if (status === 503) reply.header('retry-after', '1')
  return sendObject(reply.code(status), { error: detail })
}

export default routes
