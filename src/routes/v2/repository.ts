import type { FastifyPluginAsync } from 'fastify'
import { InputError, messageOf } from '../../errors.ts'
import type { Registry } from '../../model/registry.ts'
import Type from '../../tensor/typebox.ts'
import { compile } from '../../tensor/schema.ts'
import { sendObject } from './models.ts'

/** Loads and unloads models. */
export interface Repository {
  /** @throws Error if the model cannot be served; the message says why. */
  load (name: string): Promise<void>
  /** @throws Error if the service cannot run without it. */
  unload (name: string): Promise<void> | void
  /** The names of models that have been unloaded on request. */
  readonly unloaded: ReadonlySet<string>
}

/** An entry of the index. */
interface Entry {
  readonly name: string
  readonly version?: string
  readonly state: 'READY' | 'UNAVAILABLE'
  readonly reason?: string
}

/** The most bytes of a request, which contains only names and switches. */
const MOST = 2 ** 16

const readIndexRequest = compile(Type.Object({ ready: Type.Optional(Type.Boolean()) }))
/** A client's own files or configuration are not accepted. */
const readRequest = compile(Type.Object({ parameters: Type.Optional(Type.Object({ unload_dependents: Type.Optional(Type.Boolean()) }, { additionalProperties: false })) }))

/** The model repository extension of the protocol: the index, `load` and `unload`. */
const routes: FastifyPluginAsync<{ registry: Registry, repository: Repository }> = async (app, { registry, repository }) => {
  app.removeAllContentTypeParsers()
  // Triton's clients send JSON without saying so.
  app.addContentTypeParser('*', { parseAs: 'string', bodyLimit: MOST }, (_request, body, done) => {
    try {
      done(null, body === '' ? {} : JSON.parse(String(body)))
    } catch (error) {
      done(new InputError('malformed', { path: '', message: `the request is not JSON: ${messageOf(error)}` }))
    }
  })
  const schema = { hide: true }

  app.post('/index', { schema }, async ({ body = {} }, reply) => {
    const { ready = false } = readIndexRequest(body, '')
    const entries = indexOf(registry, repository).filter(({ state }) => !ready || state === 'READY')
    return sendObject(reply, entries)
  })

  app.post<{ Params: { model: string } }>('/models/:model/load', { schema }, async ({ body = {}, params }, reply) => {
    readRequest(body, '')
    await refusing(async () => await repository.load(params.model))
    return sendObject(reply, {})
  })

  app.post<{ Params: { model: string } }>('/models/:model/unload', { schema }, async ({ body = {}, params }, reply) => {
    readRequest(body, '')
    registry.get(params.model)
    await refusing(async () => await repository.unload(params.model))
    return sendObject(reply, {})
  })
}

function indexOf ({ models, faults }: Registry, { unloaded }: Repository): Entry[] {
  const names = new Set(models.map(({ name }) => name))
  const others = [...new Set([...faults.keys(), ...unloaded])].filter((name) => !names.has(name))
  return [
    ...models.map(({ name, version }): Entry => ({ name, version, state: 'READY', ...reasonOf(faults.get(name)) })),
    ...others.map((name): Entry => ({ name, state: 'UNAVAILABLE', ...reasonOf(faults.get(name) ?? 'unloaded') }))
  ]
}

function reasonOf (reason: string | undefined): { reason?: string } {
  return reason === undefined ? {} : { reason }
}

/** A failure is the request's fault: a 400, as the protocol defines it. */
async function refusing (work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    throw new InputError('malformed', { path: '', message: messageOf(error) })
  }
}

export default routes
