import { fork } from 'node:child_process'
import { extname } from 'node:path'
import type { CellSizes } from '../../../network/cell.ts'
import type { PolicySetting } from '../policy.ts'
import { ENDED_IN_CALL, type Order, type ReadyReport, type Report, type RunReport } from './protocol.ts'

/** A process that runs a model's feedback.mjs, from its start to its end. */
export interface ModuleProcess {
  /** Settles once the module is loaded; rejects if it cannot be, with a line for the operator. */
  readonly ready: Promise<ReadyReport>
  send (order: Order): void
  /** Whether it keeps the service's own process from ending. */
  hold (busy: boolean): void
  /**
   * Ends it at once.
   *
   * @param why for those who hear of it, as `did not return within 1 s`.
   */
  stop (why: string): Promise<void>
}

/** What there is to run. */
export interface ModuleFile {
  /** Of feedback.mjs. */
  readonly path: string
  readonly sizes: CellSizes
  readonly tensors: PolicySetting['tensors']
}

export interface ModuleListener {
  ran (report: RunReport): void
  /** The process has ended, after it was ready; all that it reported has been heard. */
  ended (end: ModuleEnd): void
}

export interface ModuleEnd {
  /** As `did not return within 1 s`. */
  readonly why: string
  /** Whether the call that was under way is to blame; otherwise it may be made again. */
  readonly inCall: boolean
}

/** A module that has not loaded by then, in milliseconds, never will. */
const START_LIMIT = 30_000
/** A process that closes its channel ends by itself, or is ended after so long, in milliseconds. */
const LAST_WORDS = 1000

/**
 * Starts one.
 *
 * @param memory how many MiB the module may take.
 */
export function startProcess ({ path, sizes, tensors }: ModuleFile, memory: number, { ran, ended }: ModuleListener): ModuleProcess {
  const child = fork(new URL(`./child${extname(import.meta.url)}`, import.meta.url), [String(process.pid)], {
    serialization: 'advanced',
    // What the module prints goes to standard error: standard output is the service's log.
    stdio: ['ignore', 2, 2, 'ipc'],
    env: { ...process.env, NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --max-old-space-size=${memory}` }
  })
  let stopped: string | undefined
  let isReady = false

  const end = new Promise<ModuleEnd>((resolve) => {
    let exit: ModuleEnd | undefined
    // Whatever it reported has been heard once its channel is closed, too.
    const settle = (): void => { if (exit !== undefined && !child.connected) resolve(exit) }
    child.on('exit', (code, signal) => {
      exit = endBy(code, signal)
      settle()
    })
    child.on('disconnect', () => {
      setTimeout(stop, LAST_WORDS, 'closed its channel').unref()
      settle()
    })
    child.on('error', (error) => { if (child.pid === undefined) resolve({ why: `has no process: ${error.message}`, inCall: false }) })
  })
  const ready = new Promise<ReadyReport>((resolve, reject) => {
    child.on('message', (message: unknown) => {
      if (!isReport(message)) return
      if (message.kind === 'broken') reject(new Error(`${path}: ${message.message}`))
      else if (message.kind !== 'ready') ran(message)
      else {
        isReady = true
        resolve(message)
      }
    })
    end.then(({ why }) => {
      clearTimeout(timer)
      reject(new Error(`${path}: cannot be loaded: it ${why}`))
    })
  })
  const timer = setTimeout(() => { stop(`did not load within ${START_LIMIT / 1000} s`) }, START_LIMIT)
  ready.then(() => clearTimeout(timer), () => stop('is not wanted'))
  end.then((how) => { if (isReady) ended(how) })
  tell().catch(ignore)

  function endBy (code: number | null, signal: NodeJS.Signals | null): ModuleEnd {
    if (stopped !== undefined) return { why: stopped, inCall: true }
    // The guard's signal, or the kernel's; and V8's at the heap's limit.
    if (signal === 'SIGKILL' || signal === 'SIGABRT') return { why: 'ran out of memory', inCall: true }
    if (code === ENDED_IN_CALL) return { why: 'ended its process', inCall: true }
    return { why: `ended its process with ${signal ?? `exit code ${code}`}`, inCall: signal !== null }
  }

  function hold (busy: boolean): void {
    if (busy) {
      child.ref()
      child.channel?.ref()
    } else {
      child.unref()
      child.channel?.unref()
    }
  }

  async function stop (why: string): Promise<void> {
    stopped ??= why
    hold(true)
    child.kill('SIGKILL')
    await end
  }

  async function tell (): Promise<void> {
    // One after the other, so that the event loop has its other work in between.
    for (const [name, { shape, data }] of tensors()) await deliver({ kind: 'tensor', name, shape, data })
    await deliver({ kind: 'load', path, sizes, memory: memory * 2 ** 20 })
  }

  function deliver (order: Order): Promise<void> {
    return new Promise((resolve, reject) => { child.send(order, (error) => error === null ? resolve() : reject(error)) })
  }

  return {
    ready,
    send: (order) => { child.send(order, ignore) },
    hold,
    stop
  }
}

/** What cannot be sent is to a process that has ended, and that is heard of by itself. */
function ignore (): void {}

/** A module may send something of its own, which nobody here waits for. */
function isReport (message: unknown): message is Report {
  return typeof message === 'object' && message !== null && 'kind' in message && KINDS.has(message.kind)
}
const KINDS: ReadonlySet<unknown> = new Set<Report['kind']>(['ready', 'broken', 'made', 'unknown', 'failed'])
