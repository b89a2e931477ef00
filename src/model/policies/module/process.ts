import { fork } from 'node:child_process'
import { Socket } from 'node:net'
import { extname } from 'node:path'
import type { CellSizes } from '../../../network/cell.ts'
import type { PolicySetting } from '../policy.ts'
import { createFrameReader, floatsOf, writeFrame } from './frames.ts'
import { ENDED_IN_CALL, type Order, type ReadyReport, type Report, type RunReport } from './protocol.ts'

/** A process that runs a model's feedback.mjs, from its start to its end. */
export interface ModuleProcess {
  /** Resolves once the module is loaded; rejects with a line for the operator if it cannot be. */
  readonly ready: Promise<ReadyReport>
  send (order: Order, body?: Float32Array | Uint8Array): void
  /** Sets whether it keeps the service's own process from ending. */
  hold (busy: boolean): void
  /**
   * Ends it at once.
   *
   * @param why the reason that is reported, such as `did not return within 1 s`.
   */
  stop (why: string): Promise<void>
}

/** The module to run. */
export interface ModuleFile {
  /** The path of feedback.mjs. */
  readonly path: string
  /** The source that is run instead of the file. */
  readonly source?: string | undefined
  readonly sizes: CellSizes
  readonly tensors: PolicySetting['tensors']
}

export interface ModuleListener {
  ran (report: RunReport, floats: Float32Array): void
  /** The process has ended, after it was ready; all its reports have been delivered. */
  ended (end: ModuleEnd): void
}

export interface ModuleEnd {
  /** Such as `did not return within 1 s`. */
  readonly why: string
  /** Whether the call in progress is to blame; otherwise it can be repeated. */
  readonly inCall: boolean
}

/** A module that has not loaded after this many milliseconds never will. */
const START_LIMIT = 30_000
/** Once a process or its channel has ended, the other one is ended after this many milliseconds. */
const LAST_WORDS = 1000

/**
 * Starts a module's process.
 *
 * @param memory how many MiB the module may take.
 */
export function startProcess ({ path, source, sizes, tensors }: ModuleFile, memory: number, { ran, ended }: ModuleListener): ModuleProcess {
  const child = fork(new URL(`./child${extname(import.meta.url)}`, import.meta.url), [String(process.pid)], {
    // What the module prints goes to standard error: standard output is the service's log.
    stdio: ['ignore', 2, 2, 'ipc', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --max-old-space-size=${memory}` }
  })
  // Node.js's own channel takes twice as long as a pipe.
  child.disconnect()
  const pipe = child.stdio[4]
  if (!(pipe instanceof Socket)) throw new Error(`${path}: no process can be started for it`)
  const channel = pipe
  let stopped: string | undefined
  let isReady = false

  const end = new Promise<ModuleEnd>((resolve) => {
    let exit: ModuleEnd | undefined
    // All its reports have been delivered once its channel is closed, too.
    const settle = (): void => { if (exit !== undefined && channel.closed) resolve(exit) }
    child.on('exit', (code, signal) => {
      exit = endBy(code, signal)
      setTimeout(() => channel.destroy(), LAST_WORDS).unref()
      settle()
    })
    channel.on('close', () => {
      setTimeout(() => { void stop('closed its channel') }, LAST_WORDS).unref()
      settle()
    })
    // After an error, the channel closes, too.
    channel.on('error', () => {})
    child.on('error', (error) => { if (child.pid === undefined) resolve({ why: `has no process: ${error.message}`, inCall: false }) })
  })
  const ready = new Promise<ReadyReport>((resolve, reject) => {
    channel.on('data', createFrameReader((report, body) => {
      if (!isReport(report)) return
      if (report.kind === 'broken') reject(new Error(`${path}: ${report.message}`))
      else if (report.kind !== 'ready') ran(report, floatsOf(body))
      else {
        isReady = true
        resolve(report)
      }
    }))
    void end.then(({ why }) => reject(new Error(`${path}: cannot be loaded: it ${why}`)))
  })
  const timer = setTimeout(() => { void stop(`did not load within ${START_LIMIT / 1000} s`) }, START_LIMIT)
  void ready.catch(() => stop('is not wanted')).finally(() => clearTimeout(timer))
  void end.then((how) => { if (isReady) ended(how) })
  void tell()

  async function tell (): Promise<void> {
    // One after the other, so that the event loop can do other work in between.
    for (const [name, { shape, data }] of tensors()) {
      await new Promise((resolve) => channel.write(writeFrame({ kind: 'tensor', name, shape } satisfies Order, data), resolve))
    }
    send({ kind: 'load', path, source, sizes, memory: memory * 2 ** 20 })
  }

  function send (order: Order, body?: Float32Array | Uint8Array): void {
    // What is sent to a process that has ended is lost; `ended` reports its end.
    if (channel.writable) channel.write(writeFrame(order, body))
  }

  function endBy (code: number | null, signal: NodeJS.Signals | null): ModuleEnd {
    if (stopped !== undefined) return { why: stopped, inCall: true }
    // SIGKILL is the guard's or the kernel's; SIGABRT is V8's, at the heap's limit.
    if (signal === 'SIGKILL' || signal === 'SIGABRT') return { why: 'ran out of memory', inCall: true }
    if (code === ENDED_IN_CALL) return { why: 'ended its process', inCall: true }
    return { why: `ended its process with ${signal ?? `exit code ${code}`}`, inCall: signal !== null }
  }

  function hold (busy: boolean): void {
    // The caller of `stop` waits for the process to end.
    if (busy || stopped !== undefined) {
      child.ref()
      channel.ref()
    } else {
      child.unref()
      channel.unref()
    }
  }

  async function stop (why: string): Promise<void> {
    stopped ??= why
    hold(true)
    child.kill('SIGKILL')
    await end
  }

  return { ready, send, hold, stop }
}

/** The process sends nothing else. */
function isReport (report: unknown): report is Report {
  return typeof report === 'object' && report !== null && 'kind' in report
}
