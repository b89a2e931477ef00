import { InputError } from '../../errors.ts'
import type { SequenceAnswer } from '../../model/answers.ts'
import type { Call } from '../../model/call.ts'
import type { Model } from '../../model/model.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { EncodeError } from './encode-error.ts'
import { join, kindOf } from './joined.ts'
import { answeredNames, type Asked } from './options.ts'
import type { Answer, BadRow, Row } from './row.ts'
import { STATES } from './sinks/sink.ts'

/** Computes the requested fields for some rows, in their order. */
export type Encode = (rows: ReadonlyArray<Row | BadRow>) => Promise<Array<Answer | BadRow>>

/** Limits of one request: its rows, and the numbers in its padded x. */
const ROWS = 256
const NUMBERS = 2 ** 20
/** How many requests run at once: when one ends, the next already waits with its rows. */
const AT_ONCE = 2

/** What a request asks for, in addition to its rows. */
type Wanted = Pick<Asked, 'fields' | 'parts' | 'sequences' | 'steps'>

/**
 * Batches rows of similar length, so that little of a batch is padding.
 *
 * @param call stops the work in progress when it is cancelled.
 */
export function createEncoder (model: Model, wanted: Wanted, call: Call): Encode {
  const { fields, parts, sequences, steps } = wanted
  const asked = { fields, ...(parts.length > 0 && { parts }), return_sequences: sequences }
  const names = answeredNames(wanted)

  async function alone (row: Row): Promise<Answer | BadRow> {
    const { number, length, carried } = row
    try {
      const answer = await model.sequence({ ...row.request, ...asked }, call)
      return { number, length, carried, fields: fieldsOf(answer, names, (tensor) => tensor) }
    } catch (error) {
      if (!(error instanceof InputError) || call.cancelled) throw error
      return { number, carried, fault: error.message.replace('row 0, ', '') }
    }
  }

  async function together (rows: readonly Row[]): Promise<Array<Answer | BadRow>> {
    if (rows.length === 1) return [await alone(rows[0])]
    try {
      const answer = await model.sequence({ ...join(rows), ...asked }, call)
      return rows.map((row, b) => {
        const { number, length, carried } = row
        return { number, length, carried, fields: fieldsOf(answer, names, (tensor, name) => ownOf(tensor, name, b, row, rows, sequences)) }
      })
    } catch (error) {
      if (!(error instanceof InputError) || call.cancelled) throw error
      // Run the rows one by one to find the faulty one.
      const answers: Array<Answer | BadRow> = []
      for (const row of rows) answers.push(await alone(row))
      return answers
    }
  }

  return async (given) => {
    const answers: Array<Answer | BadRow> = []
    const places = new Map<Row, number>()
    for (const [i, row] of given.entries()) {
      if ('fault' in row) answers[i] = row
      else places.set(steps === undefined || row.request.steps !== undefined ? row : { ...row, length: steps, request: { ...row.request, steps } }, i)
    }
    const batches = batchesOf([...places.keys()])
    let next = 0
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (next < batches.length) {
        const batch = batches[next++]
        for (const [i, answer] of (await together(batch)).entries()) answers[places.get(batch[i]) ?? 0] = answer
      }
    }))
    return answers
  }
}

/** Batches of rows that have the same kind and similar lengths. */
function batchesOf (rows: readonly Row[]): Row[][] {
  const kinds = new Map<string, Row[]>()
  const batches: Row[][] = []
  for (const row of rows) {
    const kind = kindOf(row)
    if (kind === undefined) batches.push([row])
    else if (!kinds.get(kind)?.push(row)) kinds.set(kind, [row])
  }
  for (const alike of kinds.values()) {
    alike.sort((a, b) => b.length - a.length)
    for (let at = 0; at < alike.length;) {
      const { length, request: { x } } = alike[at]
      const count = Math.max(1, Math.min(ROWS, Math.floor(NUMBERS / (length * (x?.shape.at(-1) ?? 1)))))
      batches.push(alike.slice(at, at + count))
      at += count
    }
  }
  return batches
}

/** @throws EncodeError if the answer lacks one of the named fields. */
function fieldsOf (answer: SequenceAnswer, names: readonly string[], own: (tensor: Tensor, name: string) => Tensor): Record<string, Tensor> {
  const tensors: Readonly<Record<string, unknown>> = { ...answer, ...Object.fromEntries(Object.entries(answer.parts ?? {}).map(([name, part]) => [`parts/${name}`, part])) }
  return Object.fromEntries(names.map((name) => {
    const tensor = tensors[name]
    if (!(tensor instanceof Tensor)) throw new EncodeError(`--fields: the model does not return ${name}`)
    return [name, own(tensor, name)]
  }))
}

/** Row `b`'s part of a batch's tensor, shaped as if the row had been alone. */
function ownOf ({ shape, data }: Tensor, name: string, b: number, row: Row, rows: readonly Row[], sequences: boolean): Tensor {
  if (STATES.includes(name)) {
    const [, width] = shape
    return new Tensor([width], data.subarray(b * width, (b + 1) * width))
  }
  const [, entries, width] = shape
  const longest = Math.max(rows[0].length, row.length)
  // A readout computed once per sequence has one entry; a part can have one entry more than there are steps.
  const own = sequences && entries > 1 ? entries - longest + row.length : entries
  const mine = data.subarray(b * entries * width, (b * entries + own) * width)
  if (name !== 'parts/attention') return new Tensor([own, width], mine)
  const supports = supportsOf(row)
  if (supports === width) return new Tensor([own, width], mine)
  const narrow = new Float32Array(own * supports)
  for (let t = 0; t < own; t++) narrow.set(mine.subarray(t * width, t * width + supports), t * supports)
  return new Tensor([own, supports], narrow)
}

function supportsOf ({ request: { context } }: Row): number {
  const support: unknown = Object(context).support
  return support instanceof Tensor ? support.shape[0] : 0
}
