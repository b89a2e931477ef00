import { unprocessable } from '../errors.ts'
import type { KeptRow } from './kept-row.ts'
import type { Shape } from './network.ts'
import type { Policy } from './policies/policy.ts'
import type { Outline, SequenceRequest } from './request.ts'
import type { Tokens } from './tokens.ts'

/** Whether a request's answer is to have its rows' state. */
export function wantsState ({ state }: SequenceRequest): boolean {
  return state !== undefined && state !== false
}

/**
 * Checks that rows of a model can go on from what is kept of them.
 *
 * @throws InputError if there is more than one direction, or only the client knows what feeds the next step.
 */
export function checkGoesOn ({ directions, hIn, hOut }: Shape, { wiring }: Policy, path: string): void {
  if (directions === 2) throw unprocessable(path, 'the network has two directions, and the backward one starts from the end: there is no state from which a sequence goes on')
  if (wiring === undefined && hIn !== hOut) {
    throw unprocessable(path, `only the client knows what feeds the next step: the network reads ${hIn} numbers as its h and writes ${hOut}, and its config.json names no feedback policy`)
  }
}

/**
 * Reads the rows that a request brings as tokens; undefined if it brings none.
 *
 * @throws InputError if they are not this model's, not one per row, or beside what else says where rows begin.
 */
export function readRows (request: SequenceRequest, { rows }: Outline, tokens: Tokens): readonly KeptRow[] | undefined {
  const { state } = request
  if (state === undefined || typeof state === 'boolean') return undefined
  for (const field of ['h_in', 'c_in', 'h_0'] as const) {
    if (request[field] !== undefined) throw unprocessable(`/${field}`, 'cannot be given beside the tokens of state, which hold it')
  }
  if (typeof state !== 'string') {
    if (state.length !== rows) throw unprocessable('/state', `expected ${rows} ${rows === 1 ? 'token' : 'tokens, one per row'}, got ${state.length}`)
    return state.map((token, i) => tokens.read(token, `/state/${i}`))
  }
  if (rows > 1) throw unprocessable('/state', `expected ${rows} tokens, one per row, got one`)
  return [tokens.read(state, '/state')]
}

/** What an answer says of the state of its rows, if it is wanted. */
export function stateAnswer (request: SequenceRequest, { batched }: Outline, keep: () => readonly KeptRow[], tokens: Tokens): { state?: string | readonly string[] } {
  if (!wantsState(request)) return {}
  const written = keep().map((row) => tokens.write(row))
  return { state: batched ? written : written[0] }
}
