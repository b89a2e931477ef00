import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createContextReader } from '../../src/model/context.ts'
import { createPolicy } from '../../src/model/policies/policies.ts'
import type { Outline } from '../../src/model/request.ts'
import { testHosting } from '../support/app.ts'
import { tensorOf } from '../support/nested.ts'
import { drawLayers, fileOf } from '../support/policies.ts'

/** Three rows of four steps, of which one is shorter. */
const OUTLINE: Outline = { rows: 3, steps: 4, lengths: [4, 2, 4], batched: true, repeated: false, field: '/x' }

/** The reader of a wiring with vectors of 2 and support vectors of 2. */
async function reader () {
  const { policy } = await createPolicy({ policy: 'wiring', read: {}, x: ['read', 'vectors'] }, { layers: drawLayers({ I: 4, Hi: 2, Ho: 2 }), folder: undefined, tensor: fileOf({}), tensors: () => [], hosting: testHosting() })
  const read = createContextReader(policy)
  /** What is not given is there, unless it is given as undefined. */
  return (given: object, outline = OUTLINE) => {
    const fields = Object.entries({ vectors: tensorOf([1, 2]), support: tensorOf([[1, 2]]), ...given })
    return read(Object.fromEntries(fields.filter(([, value]) => value !== undefined)), outline)
  }
}

const numbers = (from: number, shape: readonly number[]): unknown[] => {
  const [length, ...rest] = shape
  const size = rest.reduce((a, b) => a * b, 1)
  return Array.from({ length }, (_, i) => rest.length === 0 ? from + i : numbers(from + i * size, rest))
}

test('vectors are one for all, one per row, or one per row and step', async () => {
  const read = await reader()
  for (const [nested, outline, strides] of [
    [[1, 2], OUTLINE, [0, 0]],
    [numbers(1, [3, 2]), OUTLINE, [2, 0]],
    [numbers(1, [3, 4, 2]), OUTLINE, [8, 2]],
    [numbers(1, [4, 2]), { ...OUTLINE, rows: 1, lengths: [4], batched: false }, [0, 2]]
  ] as const) {
    const { vectors } = read({ vectors: tensorOf(nested) }, outline)
    assert.deepEqual([vectors?.rowStride, vectors?.stepStride], strides)
  }
})

test('a support is one for all, or one per row, of as many vectors as the row has', async () => {
  const read = await reader()
  const all = numbers(1, [5, 2])
  const padded = [[[1, 2], [3, 4], [5, 6]], [[7, 8], [-1, -1], [-1, -1]], [[9, 10], [11, 12], [-1, -1]]]
  for (const [context, counts, data] of [
    [{ support: tensorOf(all) }, [5], all],
    [{ support: tensorOf(numbers(1, [3, 4, 2])) }, [4, 4, 4], numbers(1, [3, 4, 2])],
    [{ support: tensorOf([padded[0], padded[1].slice(0, 1), padded[2].slice(0, 2)]) }, [3, 1, 2], numbers(1, [12])],
    [{ support: tensorOf(padded), support_lengths: [3, 1, 2] }, [3, 1, 2], numbers(1, [12])],
    [{ support: tensorOf(padded), support_lengths: [3, 3, 3] }, [3, 3, 3], padded]
  ] as const) {
    const { support } = read(context)
    assert.deepEqual(support?.counts, counts)
    assert.deepEqual([...support?.data ?? []], data.flat(2))
  }
})

const REFUSED: ReadonlyArray<[context: object, message: RegExp]> = [
  [{ vectors: undefined }, /^\/context\/vectors: is required$/],
  [{ support: undefined }, /^\/context\/support: is required$/],
  [{ memory: 1 }, /^\/context\/memory: is not a known field$/],
  [{ support: 'all' }, /^\/context\/support: expected .*, got the string "all"$/],
  [{ vectors: tensorOf([1, 2, 3]) }, /^\/context\/vectors: expected vectors of 2 numbers, got 3$/],
  [{ vectors: tensorOf(numbers(0, [2, 2])) }, /^\/context\/vectors: expected a vector for each of the 3 rows, got 2$/],
  [{ vectors: tensorOf(numbers(0, [2, 4, 2])) }, /^\/context\/vectors: expected vectors for each of the 3 rows, got 2$/],
  [{ vectors: tensorOf(numbers(0, [3, 3, 2])) }, /^\/context\/vectors: expected 4 vectors per row, one per step, got 3$/],
  [{ vectors: tensorOf([numbers(0, [4, 2]), numbers(0, [3, 2]), numbers(0, [4, 2])]) }, /^\/context\/vectors\/1: expected 2 vectors, one per step of this row, got 3$/],
  [{ support: tensorOf(numbers(0, [4, 3])) }, /^\/context\/support: expected vectors of 2 numbers, got 3$/],
  [{ support: tensorOf(numbers(0, [2, 4, 2])) }, /^\/context\/support: expected a support for each of the 3 rows, got 2$/],
  [{ support: tensorOf(numbers(0, [4, 2])), support_lengths: [4] }, /^\/context\/support_lengths: is for a support of each row, \[B\]\[N\]\[D\], and this one is for all rows$/],
  [{ support: tensorOf(numbers(0, [3, 4, 2])), support_lengths: [4, 4] }, /^\/context\/support_lengths: expected 3 lengths, one per row, got 2$/],
  [{ support: tensorOf(numbers(0, [3, 4, 2])), support_lengths: [4, 5, 4] }, /^\/context\/support_lengths\/1: expected 1 to 4 \(N\), got 5$/],
  [{ support: tensorOf(numbers(0, [3, 4, 2])), support_lengths: [4, 0, 4] }, /^\/context\/support_lengths\/1: must be >= 1, got 0$/],
  [{ support: tensorOf([[[1, 2]], [[1, 2], [3, 4]], [[1, 2]]]), support_lengths: [1, 1, 1] }, /^\/context\/support_lengths: cannot be given if the rows of support are ragged/]
]

for (const [context, message] of REFUSED) {
  test(`a context is refused that ${message.source}`, async () => {
    const read = await reader()
    assert.throws(() => read(context), { name: 'InputError', message })
  })
}

test('a wiring that needs none takes none', async () => {
  const { policy } = await createPolicy(undefined, { layers: drawLayers({ I: 4, Hi: 2, Ho: 2 }), folder: undefined, tensor: fileOf({}), tensors: () => [], hosting: testHosting() })
  const read = createContextReader(policy)
  assert.deepEqual(read({}, OUTLINE), { vectors: undefined, support: undefined })
  assert.throws(() => read({ support: tensorOf([[1, 2]]) }, OUTLINE), { message: '/context/support: is not a known field' })
})
