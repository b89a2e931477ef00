import { readFile } from 'node:fs/promises'
import { serialize } from 'node:v8'
import { InputError } from '../../../errors.ts'
import { reasonToStop } from '../../../scheduler/cancellation.ts'
import { Tensor } from '../../../tensor/tensor.ts'
import type { Call } from '../../call.ts'
import type { HostedRequest, HostRows, Hosting } from '../policy.ts'
import { createContexts } from './contexts.ts'
import { startProcess, type ModuleEnd, type ModuleFile, type ModuleProcess } from './process.ts'
import type { ReadyReport, RunOrder, RunReport } from './protocol.ts'

/** A model's feedback.mjs, in a process of its own, which is replaced if it ends. */
export interface ModuleHost {
  /** The JSON schema of a context, if the module exports one. */
  readonly context: object | undefined
  /** How many numbers the module keeps for a row. */
  readonly state: number
  /** Starts a request whose context has been checked. */
  open (context: unknown, rows: HostRows, call: Call): HostedRequest
  /** Ends the process. */
  close (): Promise<void>
}

interface OpenRequest {
  readonly id: number
  /** As `v8.serialize` writes it. */
  readonly context: Uint8Array
  readonly rows: HostRows
  readonly call: Call
  next: boolean
  closed: boolean
}

/** Rows of one request that wait for what they read at the same step. */
interface Turn {
  readonly request: OpenRequest
  readonly t: number
  /** How many steps the rows had taken before the request's first. */
  readonly before: number
  /** Whether the request sends the x of that step. */
  readonly x: boolean
  /** The rows that are left. */
  rows: readonly number[]
  /** How often a process ended before it ran them. */
  lost: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** The most rows in an order. */
const MAX_ROWS = 64
/** How many orders are sent ahead, so that neither process waits for the other. */
const AHEAD = 4
/** How often rows may lose their process before they fail. */
const MAX_LOST = 2
/** How often to check for requests that nobody waits for any more, in milliseconds. */
const SWEEP = 100
const NOTHING = new Float32Array(0)

/**
 * Starts the process of a model's feedback.mjs.
 *
 * @throws Error if the module cannot be loaded; its message is a line for the operator.
 */
export async function startModule (file: ModuleFile, { timeout, memory, report }: Hosting): Promise<ModuleHost> {
  // A process that replaces another runs the same source, even if the file has changed by then.
  const source = await readFile(file.path, 'utf8').catch(() => undefined)
  let child: ModuleProcess | undefined
  let isUp = false
  let isClosed = false
  /** In the order of their turns: after its own turn, a request waits for the turns of the others. */
  let waiting: Turn[] = []
  /** Turns whose orders have been sent; the first one is running. */
  let sent: Turn[] = []
  // If this process was busy, the report may already have arrived, so it is read first.
  const timer = setTimeout(() => setImmediate(stopFor, sent[0]), 1000 * timeout).unref()
  let sweeper: NodeJS.Timeout | undefined
  /** The turn whose timeout stopped the process. */
  let overdue: Turn | undefined
  let ids = 0
  const contexts = createContexts(memory * 2 ** 20 / 8)

  const { context, state } = await start()
  isUp = true
  proceed()

  async function start (source?: string): Promise<ReadyReport> {
    const started = startProcess({ ...file, source }, memory, { ran, ended })
    child = started
    isUp = false
    contexts.clear()
    try {
      return await started.ready
    } catch (error) {
      child = undefined
      throw error
    }
  }

  async function restart (): Promise<void> {
    try {
      const ready = await start(source)
      if (ready.state !== state) throw new Error(`${file.path}: has changed: its state is ${ready.state} numbers, and was ${state}`)
      isUp = true
    } catch (error) {
      giveUp(failed('could not be loaded again', undefined, error))
      await child?.stop('has changed')
    }
    proceed()
  }

  function giveUp (error: InputError): void {
    for (const turn of [...sent, ...waiting.splice(0)]) turn.reject(error)
  }

  /** Sends the orders of waiting turns, and first restarts the process if there is none. */
  function proceed (): void {
    if (isClosed) return giveUp(new InputError('unavailable', { path: '', message: 'the model is being closed' }))
    if (child === undefined && waiting.length > 0) void restart()
    if (child !== undefined && isUp) {
      const now = performance.now()
      while (sent.length < AHEAD) {
        const turn = waiting.shift()
        if (turn === undefined) break
        if (isWanted(turn, now)) send(child, turn)
      }
      child.hold(true)
    }
    sweeper ??= setInterval(sweep, SWEEP).unref()
  }

  function send (to: ModuleProcess, turn: Turn): void {
    const { request: { id, context: bytes } } = turn
    const { context, forget } = contexts.bring(id, bytes)
    if (context !== undefined) to.send({ kind: 'context', request: id }, context)
    const { floats, ...order } = gather(turn)
    to.send({ kind: 'run', request: id, forget, ...order }, floats)
    // The time limit of the first sent turn starts now.
    if (sent.push(turn) === 1) timer.refresh()
  }

  function stopFor (turn: Turn | undefined): void {
    if (turn === undefined || sent[0] !== turn) return
    overdue = turn
    void child?.stop(`did not return within ${timeout} s`)
  }

  function ran (report: RunReport, floats: Float32Array): void {
    const turn = sent.shift()
    timer.refresh()
    if (turn !== undefined) take(turn, report, floats)
    proceed()
  }

  function take (turn: Turn, report: RunReport, floats: Float32Array): void {
    const { request, t, rows } = turn
    if (request.closed) return
    switch (report.kind) {
      case 'made':
        spread(turn, report.ran, floats)
        turn.rows = rows.slice(report.ran)
        turn.lost = 0
        if (turn.rows.length > 0) waiting.push(turn)
        else turn.resolve()
        return
      case 'unknown':
        request.next = false
        turn.resolve()
        return
      case 'failed':
        turn.reject(failed(report.what, turn.before + t, report.cause))
    }
  }

  function ended ({ why, inCall }: ModuleEnd): void {
    child = undefined
    const [turn, ...others] = sent
    const isToBlame = turn?.lost === MAX_LOST || (inCall && (overdue === undefined || overdue === turn))
    sent = []
    overdue = undefined
    waiting.unshift(...others)
    if (turn !== undefined && isToBlame) turn.reject(failed(why, turn.before + turn.t))
    else if (turn !== undefined) waiting.unshift({ ...turn, lost: turn.lost + 1 })
    // Otherwise the request's own error reports it.
    if (!isClosed && (!isToBlame || turn?.request.closed === true)) report(new Error(`${file.path}: ${why}`))
    proceed()
  }

  /** Rejects turns that nobody waits for any more, whether their call is in progress or not. */
  function sweep (): void {
    const now = performance.now()
    for (const turn of sent) isWanted(turn, now)
    waiting = waiting.filter((turn) => isWanted(turn, now))
    if (sent.length + waiting.length > 0) return
    clearInterval(sweeper)
    sweeper = undefined
    child?.hold(false)
  }

  function run ({ request, rows, t, before, x }: Pick<Turn, 'request' | 'rows' | 't' | 'before' | 'x'>): Promise<void> {
    return new Promise((resolve, reject) => {
      waiting.push({ request, t, before, x, rows, lost: 0, resolve, reject })
      proceed()
    })
  }

  return {
    context,
    state,
    open (value, rows, call) {
      const request: OpenRequest = { id: ids++, context: serialize(plain(value)), rows, call, next: true, closed: false }
      call.reservation?.hold(request.context.length)
      return {
        get next () { return request.next },
        async feed (all, steps) {
          /** Rows at the same step, both of the request and overall, for which the request sends either every x or none. */
          const turns = new Map<string, { t: number, before: number, x: boolean, rows: number[] }>()
          all.forEach((row, i) => {
            const t = steps[i]
            const before = rows.before[row]
            const x = rows.x(row, t) !== undefined
            const key = `${t} ${before} ${x}`
            const turn = turns.get(key) ?? { t, before, x, rows: [] }
            turns.set(key, turn)
            turn.rows.push(row)
          })
          await Promise.all([...turns.values()].map(async (turn) => await run({ request, ...turn })))
        },
        close () {
          request.closed = true
          contexts.drop(request.id)
        }
      }
    },
    async close () {
      isClosed = true
      clearTimeout(timer)
      clearInterval(sweeper)
      proceed()
      await child?.stop('is not wanted any more')
    }
  }
}

function isWanted ({ request: { call, closed }, reject }: Turn, now: number): boolean {
  const reason = closed ? new InputError('gone', { path: '', message: 'the request is over' }) : reasonToStop(call, now)
  if (reason !== undefined) reject(reason)
  return reason === undefined
}

/** Builds an order for the first rows, with their numbers. */
function gather ({ request: { rows: { state, x: xOf } }, t, before, x: hasX, rows }: Turn): Pick<RunOrder, 't' | 'rows' | 'c' | 'x'> & { readonly floats: Float32Array } {
  const some = rows.slice(0, MAX_ROWS)
  const partsOf = (row: number): Float32Array[] => [state(row, 'h0'), state(row, 'c0'), state(row, 'host'), (hasX ? xOf(row, t) : undefined) ?? NOTHING]
  const [h, c, host, x] = partsOf(some[0]).map(({ length }) => length)
  const floats = new Float32Array(some.length * (h + c + host + x))
  let at = 0
  for (const row of some) {
    for (const part of partsOf(row)) {
      floats.set(part, at)
      at += part.length
    }
  }
  return { t: before + t, rows: some, c, x, floats }
}

/** Copies the results to the first rows. */
function spread ({ request: { rows: { lengths, state } }, t, rows }: Turn, ran: number, floats: Float32Array): void {
  let at = 0
  for (const row of rows.slice(0, ran)) {
    const hIn = state(row, 'h_in')
    const host = state(row, 'host')
    hIn.set(floats.subarray(at, at + hIn.length))
    // The state made after the last step is not used here: a row that continues has it made again, with the x of the next step.
    if (t < lengths[row]) host.set(floats.subarray(at + hIn.length, at + hIn.length + host.length))
    at += hIn.length + host.length
  }
}

function failed (what: string, t?: number, cause?: unknown): InputError {
  const message = `the model's feedback.mjs ${what}${t === undefined ? '' : `, for step ${t}`}`
  return new InputError('failed', { path: '', message }, { cause: typeof cause === 'string' ? asError(cause) : cause })
}

/** A context whose tensors are objects without methods, so that it can be sent to another process. */
function plain (context: unknown): unknown {
  if (typeof context !== 'object' || context === null) return context
  return Object.fromEntries(Object.entries(context).map(([name, value]: [string, unknown]) =>
    [name, value instanceof Tensor ? { shape: value.shape, data: value.data } : value]))
}

/** An error from another process, rebuilt from its stack. */
function asError (stack: string): Error {
  return Object.assign(new Error(stack.split('\n', 1)[0]), { stack })
}
