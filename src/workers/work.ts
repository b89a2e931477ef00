import closeWithGrace from 'close-with-grace'
import { shareOf } from '../config/workers.ts'
import { usableCores } from '../engine/cores.ts'
import { createLogger } from '../logger.ts'
import { NOTICE, servedBy } from '../serve.ts'
import { createService, type Others } from '../service.ts'
import { startEngine } from '../start-engine.ts'
import type { PrimaryCalls, Setup, WorkerCalls } from './calls.ts'
import { createChannel, type Caller } from './channel.ts'
import { shelfOf } from './shelf.ts'

type Serving = Awaited<ReturnType<typeof serve>>

/** Serves as the primary directs. */
export function work (): void {
  let serving: Serving | undefined
  const started = (): Serving => {
    if (serving === undefined) throw new Error('the worker has not started')
    return serving
  }
  const primary: Caller<PrimaryCalls> = createChannel<WorkerCalls, PrimaryCalls>({
    send: (message) => process.send?.(message, undefined, undefined, () => {}) !== undefined,
    listen: (listener) => { process.on('message', listener) }
  }, {
    async start (setup) {
      serving = await serve(setup, primary)
      return serving.served
    },
    listen: async (...where) => await started().listen(...where),
    metrics: async () => await started().metrics.register.getMetricsAsJSON(),
    reload: async () => await started().reload(),
    load: async (model) => await started().repository.load(model),
    unload: async (model) => await started().repository.unload(model),
    drain: () => { started().drain() }
  })
  void primary.call('begin')
}

async function serve ({ worker, workers, config: whole }: Setup, primary: Caller<PrimaryCalls>) {
  const config = shareOf(whole, workers, usableCores)
  const logger = (await createLogger(config['log-level'])).child({ worker })
  const engine = await startEngine(config, logger)
  const service = await createService(config, engine, logger, othersBy(worker, primary))
  const { app, repository, registry } = service
  const grace = 1000 * config.grace
  const { close } = closeWithGrace({ delay: grace, logger, skip: ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGQUIT'] }, async ({ err }) => {
    if (err !== undefined) logger.fatal(err, 'draining after an uncaught error')
    // After an error, the other workers keep serving, so load balancers need no notice.
    await app.drain(err === undefined ? Math.min(NOTICE, grace / 2) : 0)
  })
  return {
    ...service,
    served: servedBy(engine, registry),
    drain: (): void => { void close() },
    async listen (port: number, quiet: boolean, unloaded: readonly string[]): Promise<number> {
      for (const model of unloaded) if (registry.find(model) !== undefined) repository.unload(model)
      if (quiet) logger.level = 'warn'
      await app.listen({ host: config.host, port })
      logger.level = config['log-level']
      return Number(new URL(app.listeningOrigin).port)
    }
  }
}

function othersBy (worker: number, primary: Caller<PrimaryCalls>): Others {
  return {
    worker,
    scrape: async () => await primary.call('scrape'),
    snapshot: async () => await primary.call('snapshot'),
    count: async (client) => await primary.call('count', client),
    shelf: (asked) => shelfOf(primary, asked),
    repository: ({ unloaded }) => ({
      load: async (model) => await primary.call('loadAll', model),
      unload: async (model) => await primary.call('unloadAll', model),
      unloaded
    })
  }
}
