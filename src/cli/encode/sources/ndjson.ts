import type { FileHandle } from 'node:fs/promises'
import { findAddon } from '../../../engine/addon.ts'
import { InputError } from '../../../errors.ts'
import type { Model } from '../../../model/model.ts'
import type { SequenceRequest } from '../../../model/request.ts'
import { compile, integerFields, IntegersSchema, nestedIntegerFields, tensorFields, TensorSchema } from '../../../tensor/schema.ts'
import Type, { type Static } from '../../../tensor/typebox.ts'
import { createJson } from '../../../wire/json.ts'
import type { BadRow, Row } from '../row.ts'
import { readLines, type Line } from './lines.ts'
import { textWindows, type Position, type Source, type Window } from './source.ts'

const state = Type.Optional(TensorSchema({ ranks: [1] }, {}))

const RowSchema = Type.Object({
  x: Type.Optional(TensorSchema({ ranks: [1, 2] }, {})),
  ids: Type.Optional(IntegersSchema<number | number[]>([0, 1], 1, {})),
  h_in: state,
  c_in: state,
  h_0: state,
  steps: Type.Optional(Type.Integer({ minimum: 1 })),
  context: Type.Optional(Type.Unknown())
})
const REQUEST = Object.keys(RowSchema.properties)
const validate = compile(RowSchema)

/** The field that every row can carry. */
export const ID = 'id'

/** One JSON object per line: a request with one row, plus `id` and the fields named in `keep`. */
export function openNdjson (file: FileHandle, size: number, model: Pick<Model, 'policy'>, keep: readonly string[]): Source {
  const carries = [ID, ...keep.filter((name) => name !== ID)]
  const read = createReader(model, carries)

  async function count (): Promise<number> {
    let rows = 0
    for await (const lines of readLines(file, 0)) rows += lines.length
    return rows
  }

  async function seek (row: number): Promise<Position> {
    let before = 0
    let byte = 0
    if (row === 0) return { row, byte }
    for await (const lines of readLines(file, 0)) {
      for (const { end } of lines) {
        byte = Math.min(end, size)
        if (++before === row) return { row, byte }
      }
    }
    return { row: before, byte }
  }

  const windows = (from: Position, to: number): AsyncGenerator<Window, void> => textWindows(readLines(file, from.byte), from, to,
    (line, number) => ({ row: read(line, number), bytes: line.bytes.length, end: Math.min(line.end, size) }))

  return { carries, size, rows: undefined, count, seek, read: windows, close: async () => { await file.close() } }
}

function createReader ({ policy: { policy: { context } } }: Pick<Model, 'policy'>, carries: readonly string[]): (line: Line, number: number) => Row | BadRow {
  const parse = createJson(findAddon()).reader({
    known: [...REQUEST, ...carries],
    tensors: [...tensorFields(RowSchema), ...tensorFields(context).map((name) => `context/${name}`)],
    nested: nestedIntegerFields(RowSchema),
    integers: integerFields(context).map((name) => `context/${name}`)
  })
  return ({ bytes, ended }, number) => {
    let carried: Row['carried'] = {}
    try {
      const document = Object(parse(bytes, () => {}))
      carried = Object.fromEntries(carries.flatMap((name) => Object.hasOwn(document, name) ? [[name, document[name]]] : []))
      const request = requestOf(validate(document, ''))
      return { number, request, length: lengthOf(request), carried }
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      return { number, carried, fault: `${error.message.replace('the body', 'the line')}${ended ? '' : '; the file ends within it'}` }
    }
  }
}

/** The request alone, without the carried values. */
function requestOf ({ x, ids, h_in: hIn, c_in: cIn, h_0: h0, steps, context }: Static<typeof RowSchema>): SequenceRequest {
  return {
    ...(x && { x }),
    ...(ids !== undefined && { ids }),
    ...(hIn && { h_in: hIn }),
    ...(cIn && { c_in: cIn }),
    ...(h0 && { h_0: h0 }),
    ...(steps !== undefined && { steps }),
    ...(context !== undefined && { context })
  }
}

function lengthOf ({ x, ids, steps }: SequenceRequest): number {
  return steps ?? x?.shape[0] ?? (Array.isArray(ids) ? ids.length : 1)
}
