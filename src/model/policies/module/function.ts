import { deserialize } from 'node:v8'
import type { CellSizes } from '../../../network/cell.ts'
import type { RunOrder, RunReport } from './protocol.ts'

/** A tensor of the model's file. */
export interface Tensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** What an operator's `feedback` function receives, a new one for each call. */
export interface FeedbackStep {
  /** `[Ho]`: the last h, zeros before the first step. */
  readonly h: Float32Array
  /** `[Ho]`: the cell state. */
  readonly c: Float32Array
  /** `[I]`: what the step reads as its x. Reading it throws if the request does not send it; the answer then has no `h_next`. */
  readonly x: Float32Array
  /** The request's `context`, checked by its schema. */
  readonly context: unknown
  /** Index of the batch row. */
  readonly row: number
  /** Index of the step that reads the result. */
  readonly t: number
  readonly sizes: CellSizes
  readonly tensors: Readonly<Record<string, Tensor>>
  /** What the module keeps for the row; the function may write to it. */
  readonly state: Float32Array
}

/** What an operator's `feedback.mjs` exports. */
export interface FeedbackModule {
  /** JSON schema of a request's `context`; left out if any JSON is allowed. */
  readonly context?: object
  /** How many numbers it keeps for each row; 0 if left out. */
  readonly state?: unknown
  /** Returns `h_in`, `[Hi]`. */
  readonly feedback: (step: FeedbackStep) => unknown
}

export const MAX_STATE = 2 ** 16
/** How long rows run at a time, in milliseconds, before other requests have their turn. */
const SLICE = 5
/** The longest text that is kept from an error, and from a value. */
const MAX_TEXT = 8192
const MAX_VALUE = 80

export function isFeedbackModule (value: unknown): value is FeedbackModule {
  return typeof value === 'object' && value !== null && 'feedback' in value && typeof value.feedback === 'function' &&
    (!('context' in value) || (typeof value.context === 'object' && value.context !== null))
}

export function isStateSize (value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_STATE
}

/** Carries out orders with an operator's function. */
export interface FeedbackFunction {
  /** Whether a call is in progress. */
  readonly isCalled: boolean
  /** Keeps the context of a request. */
  remember (request: number, context: Uint8Array): void
  /** Runs some of an order's rows, and reports the outcome. The function may write to the floats. */
  run (order: RunOrder, floats: Float32Array, report: (head: RunReport, body?: Float32Array) => void): void
}

/** @param S how many numbers are kept for a row. */
export function createFunction (feedback: FeedbackModule['feedback'], S: number, { I, Hi, Ho }: CellSizes, given: ReadonlyMap<string, Tensor>): FeedbackFunction {
  const sizes = Object.freeze({ I, Hi, Ho })
  const tensors = freeze(given)
  /** By open request: the bytes of its context, and from its first use the context itself. */
  const contexts = new Map<number, { readonly bytes: Uint8Array } | { readonly value: unknown }>()
  let isCalled = false

  /** A context is deserialized within the call, so that one that does not fit in memory fails its own request. */
  function contextOf (request: number): unknown {
    const context = contexts.get(request)
    if (context === undefined) throw new Error('the context has not been sent')
    if ('value' in context) return context.value
    const value: unknown = deserialize(context.bytes)
    contexts.set(request, { value })
    return value
  }

  function run ({ request, t, rows, c: C, x: X }: RunOrder, floats: Float32Array): [head: RunReport, body?: Float32Array] {
    const start = performance.now()
    const width = Ho + C + S + X
    const made = new Float32Array(rows.length * (Hi + S))
    let unknown = false
    let ran = 0
    try {
      const context = contextOf(request)
      do {
        let at = ran * width
        /** The next vector of the row. */
        const take = (size: number): Float32Array => {
          at += size
          return floats.subarray(at - size, at)
        }
        const h = take(Ho)
        const c = take(C)
        const state = take(S)
        const common = { h, c, context, row: rows[ran], t, sizes, tensors, state }
        const result = feedback(X === I
          ? { ...common, x: take(X) }
          : {
              ...common,
              get x (): never {
                unknown = true
                throw new Error(`the request has no x for step ${t}`)
              }
            })
        if (unknown) return [{ kind: 'unknown' }]
        const problem = misfit(result, state, Hi)
        if (problem !== undefined) return [{ kind: 'failed', what: problem }]
        if (Array.isArray(result) || result instanceof Float32Array) made.set(result, ran * (Hi + S))
        made.set(state, ran * (Hi + S) + Hi)
      } while (++ran < rows.length && performance.now() - start < SLICE)
    } catch (error) {
      // Its message is for the operator's log, not for the client.
      return [unknown ? { kind: 'unknown' } : { kind: 'failed', what: 'threw an error', cause: textOf(error) }]
    }
    return [{ kind: 'made', ran }, made.subarray(0, ran * (Hi + S))]
  }

  return {
    get isCalled () { return isCalled },
    remember: (request, bytes) => { contexts.set(request, { bytes }) },
    run (order, floats, report) {
      for (const request of order.forget) contexts.delete(request)
      isCalled = true
      const made = run(order, floats)
      isCalled = false
      report(...made)
    }
  }
}

/** What is wrong with a result, or with the row's state after the call. */
function misfit (result: unknown, state: Float32Array, Hi: number): string | undefined {
  // An async function already fails its request, so its rejection is ignored.
  if (result instanceof Promise) result.catch(() => {})
  const problem = wrongWith(result, Hi)
  if (problem !== undefined) return `returned ${problem}, expected ${Hi} finite numbers (Hi)`
  const odd = state.findIndex((value) => !Number.isFinite(value))
  return odd < 0 ? undefined : `left ${state[odd]} at index ${odd} of the row's state`
}

function wrongWith (result: unknown, Hi: number): string | undefined {
  if (!Array.isArray(result) && !(result instanceof Float32Array)) return result instanceof Promise ? 'a promise' : typeof result
  if (result.length !== Hi) return `${result.length} numbers`
  const odd = result.findIndex((value) => typeof value !== 'number' || !Number.isFinite(Math.fround(value)))
  return odd < 0 ? undefined : `${String(result[odd]).slice(0, MAX_VALUE)} at ${odd}`
}

function freeze (tensors: ReadonlyMap<string, Tensor>): Readonly<Record<string, Tensor>> {
  return Object.freeze(Object.fromEntries([...tensors].map(([name, { shape, data }]) => [name, Object.freeze({ shape: Object.freeze(shape), data })])))
}

function textOf (error: unknown): string {
  try {
    return String(error instanceof Error ? error.stack : error).slice(0, MAX_TEXT)
  } catch {
    return 'something that has no text'
  }
}
