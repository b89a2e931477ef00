import { pathToFileURL } from 'node:url'
import { deserialize } from 'node:v8'
import type { CellSizes } from '../../../network/cell.ts'
import { startGuard } from './guard.ts'
import { ENDED_IN_CALL, type LoadOrder, type Order, type Report, type RunOrder, type RunReport } from './protocol.ts'

/*
 * The process in which a model's feedback.mjs runs. It does what the service tells it, one order after the other, and
 * ends with the service, whose process id is its argument.
 */

type Tensors = Readonly<Record<string, { readonly shape: readonly number[], readonly data: Float32Array }>>

/** What an operator's `feedback` function is given, each call its own. */
export interface FeedbackStep {
  /** `[Ho]`: the last h, zeros before the first step. */
  readonly h: Float32Array
  /** `[Ho]`: the cell state. */
  readonly c: Float32Array
  /** `[I]`: what the step reads as its x. It throws if the request does not bring it: the answer then has no `h_next`. */
  readonly x: Float32Array
  /** The request's `context`, as its schema lets it pass. */
  readonly context: unknown
  /** Index of the batch row. */
  readonly row: number
  /** Index of the step that is to read the result. */
  readonly t: number
  readonly sizes: CellSizes
  readonly tensors: Tensors
  /** What the module keeps for the row; it may be written. */
  readonly state: Float32Array
}

/** What an operator's `feedback.mjs` exports. */
interface FeedbackModule {
  /** JSON schema of a request's `context`; left out if any JSON will do. */
  readonly context?: object
  /** How many numbers it keeps for each row; 0 if it is left out. */
  readonly state?: unknown
  /** Makes `h_in`, `[Hi]`. */
  readonly feedback: (step: FeedbackStep) => unknown
}

/** Rows are run for so long at a time, in milliseconds; then other requests have their turn. */
const SLICE = 5
const MAX_STATE = 2 ** 16
/** The longest text that is kept of an error. */
const MAX_TEXT = 8192

let run: ((order: RunOrder) => RunReport) | undefined
let inCall = false
const tensors = new Map<string, Tensors[string]>()

const boundMemory = startGuard(Number(process.argv[2]))
// A signal to the whole group, such as Ctrl+C, is for the service: it finishes what it has begun.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
process.on('disconnect', () => process.exit())
process.on('exit', () => { if (inCall) process.exitCode = ENDED_IN_CALL })
process.on('message', (order: unknown) => {
  if (!isOrder(order)) return
  if (order.kind === 'tensor') tensors.set(order.name, { shape: order.shape, data: order.data })
  else if (order.kind === 'load') load(order).then(report)
  else if (run !== undefined) report(run(order))
})

function report (message: Report): void {
  process.send?.(message)
}

function isOrder (message: unknown): message is Order {
  return typeof message === 'object' && message !== null && 'kind' in message
}

async function load ({ path, sizes, memory }: LoadOrder): Promise<Report> {
  try {
    const loaded: unknown = await import(pathToFileURL(path).href)
    if (!isFeedbackModule(loaded)) return { kind: 'broken', message: 'expected an exported function named feedback, and a JSON schema as context if any' }
    const { feedback, context, state = 0 } = loaded
    if (!isStateSize(state)) return { kind: 'broken', message: `expected state to be a whole number from 0 to ${MAX_STATE}, got ${String(state)}` }
    boundMemory(memory)
    run = createRun(feedback, state, sizes)
    return { kind: 'ready', context: context && JSON.parse(JSON.stringify(context)), state }
  } catch (error) {
    return { kind: 'broken', message: `cannot be loaded: ${error instanceof Error ? error.message : String(error)}` }
  }
}

function isFeedbackModule (value: unknown): value is FeedbackModule {
  return typeof value === 'object' && value !== null && 'feedback' in value && typeof value.feedback === 'function' &&
    (!('context' in value) || (typeof value.context === 'object' && value.context !== null))
}

function isStateSize (value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_STATE
}

function createRun (feedback: FeedbackModule['feedback'], S: number, { I, Hi, Ho }: CellSizes): (order: RunOrder) => RunReport {
  const sizes = Object.freeze({ I, Hi, Ho })
  const byName = freeze(tensors)
  /** Of open requests: the bytes of a context, then the context. */
  const contexts = new Map<number, { bytes?: Uint8Array | undefined, value?: unknown }>()

  /** Read in the call, so that one which does not fit the memory fails its own request. */
  function contextOf (request: number): unknown {
    const context = contexts.get(request)
    if (context?.bytes !== undefined) {
      context.value = deserialize(context.bytes)
      context.bytes = undefined
    }
    return context?.value
  }

  return ({ request, context: bytes, forget, t, rows, h, c, x, state }) => {
    for (const one of forget) contexts.delete(one)
    if (bytes !== undefined) contexts.set(request, { bytes })
    const start = performance.now()
    const next = new Float32Array(rows.length * Hi)
    const kept = new Float32Array(rows.length * S)
    const C = c.length / rows.length
    let unknown = false
    let ran = 0
    inCall = true
    try {
      const context = contextOf(request)
      do {
        const own = state.slice(ran * S, (ran + 1) * S)
        const common = { h: h.slice(ran * Ho, (ran + 1) * Ho), c: c.slice(ran * C, (ran + 1) * C), context, row: rows[ran], t, sizes, tensors: byName, state: own }
        const result = feedback(x !== undefined
          ? { ...common, x: x.slice(ran * I, (ran + 1) * I) }
          : {
              ...common,
              get x (): never {
                unknown = true
                throw new Error(`the request has no x for step ${t}`)
              }
            })
        if (unknown) return { kind: 'unknown' }
        const problem = wrongWith(result, own, Hi)
        if (problem !== undefined) return { kind: 'failed', what: problem }
        if (Array.isArray(result) || result instanceof Float32Array) next.set(result, ran * Hi)
        kept.set(own, ran * S)
      } while (++ran < rows.length && performance.now() - start < SLICE)
    } catch (error) {
      // Its message is for the operator's log, not for the client.
      return unknown ? { kind: 'unknown' } : { kind: 'failed', what: 'threw an error', cause: textOf(error) }
    } finally {
      inCall = false
    }
    return { kind: 'made', ran, next: next.subarray(0, ran * Hi), state: kept.subarray(0, ran * S) }
  }
}

/** What is wrong with a result, or with what the function left of the row's state. */
function wrongWith (result: unknown, state: Float32Array, Hi: number): string | undefined {
  // An async function fails its request; that it rejects as well is no news.
  if (result instanceof Promise) result.catch(() => {})
  const problem = misfit(result, Hi)
  if (problem !== undefined) return `returned ${problem}, expected ${Hi} finite numbers (Hi)`
  const odd = state.findIndex((value) => !Number.isFinite(value))
  return odd < 0 ? undefined : `left ${state[odd]} at ${odd} of the row's state`
}

function misfit (result: unknown, Hi: number): string | undefined {
  if (!Array.isArray(result) && !(result instanceof Float32Array)) return `${result instanceof Promise ? 'a promise' : typeof result}`
  if (result.length !== Hi) return `${result.length} numbers`
  const odd = result.findIndex((value) => typeof value !== 'number' || !Number.isFinite(Math.fround(value)))
  return odd < 0 ? undefined : `${String(result[odd]).slice(0, 80)} at ${odd}`
}

function freeze (tensors: ReadonlyMap<string, Tensors[string]>): Tensors {
  return Object.freeze(Object.fromEntries([...tensors].map(([name, { shape, data }]) => [name, Object.freeze({ shape: Object.freeze(shape), data })])))
}

function textOf (error: unknown): string {
  try {
    return String(error instanceof Error ? error.stack : error).slice(0, MAX_TEXT)
  } catch {
    return 'something that has no text'
  }
}
