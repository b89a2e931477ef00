import { floatsOf } from './constants.ts'
import type { Node } from './messages.ts'
import type { MadeIds, Value } from './values.ts'

/** Elementwise operations on ids; booleans are 1 or 0. */
const ARITHMETIC: Readonly<Record<string, (a: number, b: number, c: number) => number>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Less: (a, b) => Number(a < b),
  Greater: (a, b) => Number(a > b),
  GreaterOrEqual: (a, b) => Number(a >= b),
  Not: (a) => Number(a === 0),
  Where: (a, b, c) => a === 0 ? c : b,
  Cast: (a) => a
}

/** The ids that a node computes from the graph's input; undefined if the node is not such arithmetic. */
export function makeIds ({ type }: Node, inputs: ReadonlyArray<Value | undefined>): MadeIds | undefined {
  if (!Object.hasOwn(ARITHMETIC, type)) return undefined
  const parts = inputs.map(asFunction)
  const [a, b = ZERO, c = ZERO] = parts
  if (a === undefined || parts.includes(undefined)) return undefined
  const make = ARITHMETIC[type]
  return { kind: 'ids', type, of: (id) => make(a(id), b(id), c(id)) }
}

/** Whether every id of a vocabulary stays unchanged. Keras counts negative ids from the end and keeps the others. */
export function areKept ({ of }: MadeIds, vocabulary: number): boolean {
  for (let id = 0; id < vocabulary; id++) if (of(id) !== id) return false
  return true
}

type OfId = (id: number) => number
const ZERO: OfId = () => 0

function asFunction (value: Value | undefined): OfId | undefined {
  if (value?.kind === 'ids') return value.of
  if (value?.kind === 'flow') return value.layers.length === 0 ? (id) => id : undefined
  if (value?.kind !== 'constant') return undefined
  const [number, ...more] = floatsOf(value.tensor).data
  return number === undefined || more.length > 0 ? undefined : () => number
}
