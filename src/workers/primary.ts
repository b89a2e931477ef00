import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config } from '../config/settings.ts'
import { shelfBytes } from '../config/workers.ts'
import { endWithGrace } from '../end-with-grace.ts'
import { messageOf } from '../errors.ts'
import { createLogger, logDrain } from '../logger.ts'
import { listenForMetrics } from '../metrics-port.ts'
import { createMemoryShelf } from '../model/sessions/shared/memory.ts'
import type { PrimaryCalls, WorkerCalls } from './calls.ts'
import { createChannel, Ended, type Caller } from './channel.ts'
import { createPrimaryMetrics } from './metrics.ts'
import { createRates } from './rates.ts'
import { createRestarts } from './restarts.ts'

const WORKER = fileURLToPath(new URL(`./worker${extname(import.meta.url)}`, import.meta.url))

/** How long a scrape waits for a worker that does not answer, in milliseconds; after that, its last answer counts. */
const SCRAPE = 1000
/** How much longer than the grace period a worker may take to end, in milliseconds. */
const LAST_WORDS = 1000

/** A process that serves, from its start to its end. */
interface Running {
  readonly process: Worker
  readonly worker: Caller<WorkerCalls>
  /** What the log reports about its models. */
  readonly started: Promise<object>
  readonly exited: Promise<Exit>
  listening: boolean
}

interface Exit {
  readonly code: number | string | null
  readonly signal: number | string | null
}

/**
 * Serves with several processes on one port until a signal ends them. Connections are given to one worker after the other; what all
 * workers share is kept here.
 *
 * @throws Error if a worker cannot start.
 */
export async function serveTogether (config: Config, workers: number): Promise<void> {
  const logger = await createLogger(config['log-level'])
  let reloads = 0
  const reload = (): void => { askAll('reload').catch((error: unknown) => { logger.error(`not every worker has reloaded: ${messageOf(error)}`) }) }
  process.on('SIGHUP', () => {
    reloads++
    reload()
  })
  const numbers = Array.from({ length: workers }, (_, i) => i + 1)
  const running = new Map<number, Running>()
  const unloaded = new Set<string>()
  const metrics = createPrimaryMetrics(() => listening().length)
  const shelf = createMemoryShelf({ maxSessions: config['max-sessions'], maxBytes: shelfBytes(config) })
  const count = createRates()
  /** The port to ask for, and the port that was found. */
  let port = config.port
  let found: number | undefined
  let draining = false
  process.on('exit', () => { for (const { process } of running.values()) process.process.kill('SIGKILL') })

  const listening = (): Running[] => [...running.values()].filter((each) => each.listening)

  /** Calls every worker that serves, and ignores those that have ended. @throws what the first worker that failed threw. */
  async function askAll (name: 'reload'): Promise<void>
  async function askAll (name: 'load' | 'unload', model: string): Promise<void>
  async function askAll (name: 'reload' | 'load' | 'unload', model = ''): Promise<void> {
    const all = await Promise.allSettled(listening().map(async ({ worker }) => { await (name === 'reload' ? worker.call(name) : worker.call(name, model)) }))
    const failed = all.find((each) => each.status === 'rejected' && !(each.reason instanceof Ended))
    if (failed?.status === 'rejected') throw failed.reason
  }

  let collecting: Promise<void> | undefined
  /** Calls that arrive while others wait get the same result. */
  async function collected (): Promise<typeof metrics> {
    collecting ??= collect().finally(() => { collecting = undefined })
    await collecting
    return metrics
  }
  const scrape = async (): Promise<string> => await (await collected()).text()

  async function collect (): Promise<void> {
    await Promise.all([...running].map(async ([number, each]) => {
      if (!each.listening) return
      const answer = each.worker.call('metrics').then((snapshot) => { if (running.get(number) === each) metrics.take(number, snapshot) }, () => {})
      await Promise.race([answer, setTimeout(SCRAPE, undefined, { ref: false })])
    }))
  }

  const calls: Omit<PrimaryCalls, 'begin'> = {
    ...shelf,
    scrape,
    snapshot: async () => await (await collected()).snapshot(),
    count: async (client) => count(client),
    async loadAll (model) {
      reloads++
      unloaded.delete(model)
      await askAll('load', model)
    },
    async unloadAll (model) {
      await askAll('unload', model)
      unloaded.add(model)
    }
  }

  function fork (number: number): Running {
    const process = cluster.fork()
    // Messages that are sent before the worker listens are lost.
    let begin: () => void = () => {}
    const begun = new Promise<void>((resolve) => { begin = resolve })
    const worker = createChannel<PrimaryCalls, WorkerCalls>({
      send: (message) => process.isConnected() && (process.send(message), true),
      listen: (listener) => { process.on('message', listener) }
    }, { ...calls, begin })
    // Caused by a message to a worker that has just ended.
    process.on('error', () => {})
    closeLost(process)
    const exited = once(process, 'exit').then(([code, signal]: Array<number | string | null>) => {
      worker.end()
      return { code, signal }
    })
    const started = begun.then(async () => await worker.call('start', { worker: number, workers, config }))
    const each: Running = { process, worker, started, exited, listening: false }
    running.set(number, each)
    return each
  }

  async function listen (each: Running, quiet: boolean): Promise<void> {
    const own = await each.worker.call('listen', port, quiet, [...unloaded])
    found ??= own
    if (own !== found) throw new Error(`it listens on port ${own}, and the others on ${found}`)
    each.listening = true
  }

  /** Replaces a worker that serves once it ends. */
  function watch (number: number, each: Running): void {
    const restarts = createRestarts()
    const replace = async (ended: Running, exit: Exit): Promise<void> => {
      ended.listening = false
      await metrics.end(number)
      if (draining) return
      // The last worker released the port when it ended.
      if (listening().length === 0 && found !== undefined) port = found
      const seconds = restarts.next()
      metrics.restarted()
      logger.error({ worker: number, pid: ended.process.process.pid, ...exit, seconds }, 'a worker has ended; another takes its place')
      await setTimeout(1000 * seconds)
      if (draining) return
      const before = reloads
      const next = fork(number)
      void next.exited.then(async (exit) => { await replace(next, exit) })
      try {
        await next.started
        await listen(next, true)
        if (before !== reloads) await next.worker.call('reload')
        logger.info({ worker: number, pid: next.process.process.pid }, 'a worker is ready')
      } catch (error) {
        if (!draining && !(error instanceof Ended)) logger.error({ worker: number }, `a worker cannot start: ${messageOf(error)}`)
        next.process.process.kill('SIGKILL')
      }
    }
    void each.exited.then(async (exit) => { await replace(each, exit) })
  }

  cluster.schedulingPolicy = cluster.SCHED_RR
  cluster.setupPrimary({ exec: WORKER, args: [], serialization: 'advanced' })
  const monitor = await listenForMetrics(config, scrape)
  try {
    const all = numbers.map(fork)
    const [served] = await Promise.all(all.map(async ({ started, exited }) => await Promise.race([started, exited.then(early)])))
    for (const [i, each] of all.entries()) await Promise.race([listen(each, i > 0), each.exited.then(early)])
    if (reloads > 0) reload()
    for (const [i, each] of all.entries()) watch(numbers[i], each)
    endWithGrace(1000 * config.grace + LAST_WORDS, logger, drain)
    logger.info({ workers, ...served, ...(monitor !== undefined && { metrics: monitor.listeningOrigin }) }, 'ready')
  } catch (error) {
    draining = true
    for (const { process } of running.values()) process.process.kill('SIGKILL')
    await monitor?.close()
    shelf.close()
    throw error
  }

  async function drain (signal: NodeJS.Signals | undefined, error: Error | undefined): Promise<void> {
    draining = true
    logDrain(logger, config.grace, signal, error)
    const exits = await Promise.all([...running.values()].map(async (each) => {
      if (each.listening) each.worker.call('drain').catch(() => {})
      else each.process.process.kill('SIGKILL')
      return [each.listening, await each.exited] as const
    }))
    await monitor?.close()
    if (exits.some(([served, { code }]) => served && code !== 0)) throw new Error('a worker did not end cleanly')
    logger.info('all requests are answered; exiting')
  }
}

/**
 * Closes a connection that was being sent to a worker when the worker ended. It would stay open and its client would wait: Node.js
 * lets go of a connection only once the worker has it. One is being sent at a time.
 */
function closeLost (worker: Worker): void {
  let latest: unknown
  const send = worker.process.send.bind(worker.process)
  worker.process.send = (message: never, handle?: never, ...more: never[]): boolean => {
    if (handle !== undefined) latest = handle
    return send(message, handle, ...more)
  }
  worker.once('exit', () => {
    // This does nothing if it is already closed.
    if (typeof latest === 'object' && latest !== null && 'close' in latest && typeof latest.close === 'function') latest.close()
  })
}

function early ({ code, signal }: Exit): never {
  throw new Error(`a worker ended before it was ready: ${signal ?? `exit code ${code}`}`)
}
