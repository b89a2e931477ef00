import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { InputError } from '../../errors.ts'
import type { Model } from '../../model/model.ts'
import { JSON_TYPE } from '../../wire/json.ts'
import { inputsOf, outputsOf } from './tensors.ts'

/** A model has one version at a time, which is a hash of its files. This name stands for it, whichever it is. */
const ANY_VERSION = '1'

/** @throws InputError if there is no such model, or its version differs from the one in the path. */
export function findModel (request: FastifyRequest): Model {
  const model = request.served()
  const { version = ANY_VERSION }: { readonly version?: unknown } = Object(request.params)
  if (version === ANY_VERSION || version === model.version) return model
  throw new InputError('unknown', { path: '', message: `model ${model.name} has no version ${JSON.stringify(version)}; it has ${model.version}, and ${JSON.stringify(ANY_VERSION)} stands for it` })
}

/** A path with and without a version. */
export function withVersion (path: string): string[] {
  return [`/models/:model${path}`, `/models/:model/versions/:version${path}`]
}

/** `GET /v2`, the health checks, and the metadata of models. */
const routes: FastifyPluginAsync<{ version: string, extensions: readonly string[] }> = async (app, { version, extensions }) => {
  const schema = { hide: true }

  app.get('/', { schema }, async (_request, reply) => sendObject(reply, { name: 'cellserve', version, extensions }))

  // While the service drains, the drain plugin refuses the second.
  app.get('/health/live', { config: { open: true, unlimited: true, always: true }, schema }, async (_request, reply) => sendObject(reply, { live: true }))
  app.get('/health/ready', { config: { open: true, unlimited: true }, schema }, async (_request, reply) => sendObject(reply, { ready: true }))

  for (const path of withVersion('')) {
    app.get(path, { config: { model: true }, schema }, async (request, reply) => {
      const model = findModel(request)
      const { name, version, engine } = model
      const { step, sequence } = outputsOf(model)
      const outputs = [...sequence, ...step.filter((output) => sequence.every((other) => other.name !== output.name))]
      return sendObject(reply, { name, versions: [version], platform: `cellserve_${engine.name}`, inputs: inputsOf(model), outputs })
    })
  }

  for (const path of withVersion('/ready')) {
    app.get(path, { config: { model: true }, schema }, async (request, reply) => {
      const { name } = findModel(request)
      return sendObject(reply, { name, ready: true })
    })
  }
}

/** Sends bytes, to which Fastify adds no charset: clients compare the content type. */
export function sendObject (reply: FastifyReply, object: object): FastifyReply {
  return reply.header('content-type', JSON_TYPE).send(Buffer.from(JSON.stringify(object)))
}

export default routes
