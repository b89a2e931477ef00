import { unprocessable } from '../errors.ts'
import type { Memory } from '../engine/engine.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Context, Support } from './context.ts'
import type { KeptRow } from './kept-row.ts'
import type { Shape } from './network.ts'
import type { Policy } from './policies/policy.ts'
import type { Outline, SequenceRequest, StepRequest } from './request.ts'
import type { Tokens } from './tokens.ts'

/** Whether a request's answer must include the state of its rows. */
export function wantsState ({ state }: SequenceRequest): boolean {
  return state !== undefined && state !== false
}

/**
 * Checks that rows of a model can continue from their kept state.
 *
 * @throws InputError if there is more than one direction, or only the client knows what feeds the next step.
 */
export function checkGoesOn ({ directions, hIn, hOut }: Shape, { wiring }: Policy, path: string): void {
  if (directions === 2) throw unprocessable(path, 'the network has two directions, and the backward one starts from the end: there is no state from which a sequence could continue')
  if (wiring === undefined && hIn !== hOut) {
    throw unprocessable(path, `only the client knows what feeds the next step: the network reads ${hIn} numbers as its h and writes ${hOut}, and its config.json names no feedback policy`)
  }
}

/**
 * Reads the rows that a request sends as tokens; undefined if it sends none.
 *
 * @throws InputError if they are not this model's or not one per row, or if another field also says where rows begin.
 */
export function readRows (request: SequenceRequest, { rows }: Outline, tokens: Tokens): readonly KeptRow[] | undefined {
  const { state } = request
  if (state === undefined || typeof state === 'boolean' || (typeof state !== 'string' && state.length === 0)) return undefined
  for (const field of ['h_in', 'c_in', 'h_0'] as const) {
    if (request[field] !== undefined) throw unprocessable(`/${field}`, 'cannot be combined with state, whose tokens contain it')
  }
  if (typeof state !== 'string') {
    if (state.length !== rows) throw unprocessable('/state', `expected ${rows} ${rows === 1 ? 'token' : 'tokens, one per row'}, got ${state.length}`)
    return state.map((token, i) => tokens.read(token, `/state/${i}`))
  }
  if (rows > 1) throw unprocessable('/state', `expected ${rows} tokens, one per row, got one`)
  return [tokens.read(state, '/state')]
}

/** The `state` of an answer, if it is wanted. */
export function stateAnswer (request: SequenceRequest, { batched }: Outline, keep: () => readonly KeptRow[], tokens: Tokens): { state?: string | readonly string[] } {
  if (!wantsState(request)) return {}
  const written = keep().map((row) => tokens.write(row))
  return { state: batched ? written : written[0] }
}

/** A row that is kept between requests, with a context that was sent once. */
export interface Going {
  readonly row: KeptRow
  readonly context: KeptContext | undefined
  /** How many bytes it holds, including those for the answer of a step. */
  readonly bytes: number
  /** How many of these bytes are for the answer. */
  readonly room: number
}

export interface KeptContext {
  /** The context as it was sent. */
  readonly given: unknown
  readonly context: Context
  /** Its support as an engine reads it. Created on first access, and again on the next access after `dispose`. */
  readonly memory: Memory | undefined
  dispose (): void
}

/** A context whose support takes engine memory only once a step needs it; that memory has been counted by then. */
export function lazyContext (given: unknown, context: Context, remember: (support: Support) => Memory): KeptContext {
  const { support } = context
  let memory: Memory | undefined
  return {
    given,
    context,
    get memory () {
      if (support !== undefined) memory ??= remember(support)
      return memory
    },
    dispose () {
      memory?.dispose()
      memory = undefined
    }
  }
}

/** Where a kept row begins. Its tensors have no batch dimension. */
export interface Opening extends Pick<StepRequest, 'h_in' | 'c_in' | 'h_0' | 'context'> {
  /** A token to continue from. */
  readonly state?: string
}

/** The outline of a row without a batch dimension. */
export const ONE_ROW: Outline = { rows: 1, steps: 1, lengths: [1], batched: false, repeated: true, field: '/x' }

/** @throws InputError if a context has a vector per step or per row, or a support set per row. */
export function checkKept (context: unknown): void {
  const { vectors, support }: { readonly vectors?: unknown, readonly support?: unknown } = Object(context)
  if (vectors instanceof Tensor && vectors.rank > 1) throw unprocessable('/context/vectors', 'expected one vector, [D], which every step reads: a kept context has no vector per step')
  if (support instanceof Tensor && support.rank > 2) throw unprocessable('/context/support', 'expected one set, [N][D]: a session has one row')
}

/** How many bytes a context takes as it was sent. */
export function contextBytes (context: unknown): number {
  if (context instanceof Tensor) return context.packed.byteLength
  if (typeof context !== 'object' || context === null) return 2 * String(context).length
  return Object.values(context).reduce<number>((sum, value: unknown) => sum + 16 + contextBytes(value), 16)
}
