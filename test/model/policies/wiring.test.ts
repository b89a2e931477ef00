import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CellKind } from '../../../src/network/cell.ts'
import { sizesOf } from '../../../src/network/layers.ts'
import { createModel, type Model } from '../../../src/model/model.ts'
import { createPolicy, type NamedPolicy } from '../../../src/model/policies/policies.ts'
import type { PolicySetting } from '../../../src/model/policies/policy.ts'
import { Tensor } from '../../../src/tensor/tensor.ts'
import { testDeps, testHosting } from '../../support/app.ts'
import { drawLayers, drawTensor, fileOf } from '../../support/policies.ts'

const NAMES = ['W [2, 4]', 'W [4, 2]', 'W [4, 4]', 'W [4, 8]', 'W [5, 4]', 'W [5, 5]', 'W [5, 6]', 'W [5, 8]', 'W [2, 4, 1]', 'W [2, 4, 3]', 'W [0, 4]',
  'b [2]', 'b [4]', 'b [5]', 'v [5]', 'v [1, 5]', 'v [5, 1]']

/** A file's tensors, each named after its shape, of numbers of its own. */
const TENSORS = Object.fromEntries(NAMES.map((name, seed) => [name, drawTensor([...name.matchAll(/\d+/g)].map(Number), seed + 1)]))

type Sizes = readonly [I: number, Hi: number, Ho: number]

function setting ([I, Hi, Ho]: Sizes, options: { kind?: CellKind, layers?: number } = {}): PolicySetting {
  return { layers: drawLayers({ I, Hi, Ho }, options), folder: undefined, tensor: fileOf(TENSORS), tensors: () => [], hosting: testHosting() }
}

async function wire (options: object, sizes: Sizes, cells: { kind?: CellKind, layers?: number } = {}): Promise<NamedPolicy> {
  return await createPolicy({ policy: 'wiring', ...options }, setting(sizes, cells))
}

async function serve (options: object, sizes: Sizes, cells: { kind?: CellKind, layers?: number } = {}): Promise<Model> {
  return await createModel({ name: 'test', version: '1', layers: setting(sizes, cells).layers, policy: await wire(options, sizes, cells) }, await testDeps())
}

const floats = (length: number, seed: number): number[] => [...drawTensor([length], seed).data]
const row = (numbers: readonly number[]): Tensor => new Tensor([1, numbers.length], Float32Array.from(numbers))
const only = (tensor: Tensor | undefined): number[] => [...tensor?.data ?? []]

function assertClose (actual: readonly number[], expected: readonly number[], message?: string): void {
  assert.equal(actual.length, expected.length, message)
  actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-5, `${message}: ${value} at ${i} is not ${expected[i]}`))
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i], 0)
const softmax = (scores: readonly number[]): number[] => scores.map((score) => Math.exp(score) / scores.reduce((sum, one) => sum + Math.exp(one), 0))
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v))

/** `W v` and, if there is one, `+ b`, in textbook form. */
function times (weight: string, vector: readonly number[], bias?: string, transposed = false): number[] {
  const { shape: [rows, columns], data } = TENSORS[weight]
  return Array.from({ length: transposed ? columns : rows }, (_, i) =>
    dot(vector, vector.map((_, j) => data[transposed ? j * columns + i : i * columns + j])) + (bias === undefined ? 0 : TENSORS[bias].data[i]))
}

/** What feeds are made of: as the cell leaves it, or as the request brings it. */
interface Parts {
  readonly h: readonly number[]
  readonly c: readonly number[]
  readonly x: readonly number[]
  readonly v: readonly number[]
}

const SUPPORT = [floats(4, 71), floats(4, 72), floats(4, 73)]

const FEEDS: ReadonlyArray<[feed: unknown, made: (parts: Parts) => readonly number[]]> = [
  ['h', ({ h }) => h],
  [['c'], ({ c }) => c],
  [['h', 'c', 'h'], ({ h, c }) => [...h, ...c, ...h]],
  [['h', ['c', ['h']]], ({ h, c }) => [...h, ...c, ...h]],
  [{ sum: ['h', 'c'] }, ({ h, c }) => h.map((one, i) => one + c[i])],
  [{ product: ['h', 'c', { sum: ['c', 'c'] }] }, ({ h, c }) => h.map((one, i) => one * c[i] * 2 * c[i])],
  [{ weight: 'W [2, 4]', of: 'h' }, ({ h }) => times('W [2, 4]', h)],
  [{ weight: 'W [2, 4, 1]', of: 'h' }, ({ h }) => times('W [2, 4, 1]', h)],
  [{ weight: 'W [2, 4]', bias: 'b [2]', of: ['h'] }, ({ h }) => times('W [2, 4]', h, 'b [2]')],
  [{ weight: 'W [4, 2]', bias: 'b [2]', transposed: true, of: 'h' }, ({ h }) => times('W [4, 2]', h, 'b [2]', true)],
  [{ weight: 'W [4, 8]', of: ['h', 'c'] }, ({ h, c }) => times('W [4, 8]', [...h, ...c])],
  [{ weight: 'W [4, 4]', activation: 'none', of: 'h' }, ({ h }) => times('W [4, 4]', h)],
  [{ weight: 'W [4, 4]', activation: 'tanh', of: 'h' }, ({ h }) => times('W [4, 4]', h).map(Math.tanh)],
  [{ weight: 'W [4, 4]', activation: 'relu', of: 'h' }, ({ h }) => times('W [4, 4]', h).map((one) => Math.max(0, one))],
  [{ weight: 'W [4, 4]', activation: 'sigmoid', of: 'h' }, ({ h }) => times('W [4, 4]', h).map(sigmoid)],
  [{ weight: 'W [4, 4]', activation: 'softmax', of: 'h' }, ({ h }) => softmax(times('W [4, 4]', h))],
  [{ weight: 'W [2, 4]', activation: 'tanh', of: { weight: 'W [4, 4]', activation: 'relu', of: { sum: ['h', 'c'] } } },
    ({ h, c }) => times('W [2, 4]', times('W [4, 4]', h.map((one, i) => one + c[i])).map((one) => Math.max(0, one))).map(Math.tanh)]
]

describe('a feed is made as the grammar says', () => {
  for (const [feed, made] of FEEDS) {
    test(JSON.stringify(feed), async () => {
      const model = await serve({ let: { made: feed } }, [3, 4, 4])
      const [x, h, c] = [floats(3, 61), floats(4, 62), floats(4, 63)]
      const answer = await model.sequence({ x: new Tensor([1, 1, 3], Float32Array.from(x)), h_0: row(h), c_in: row(c), parts: ['made'] })
      const after = { h: only(answer.h_out), c: only(answer.c_out), x, v: [] }
      assertClose(only(answer.parts?.made), [...made({ h, c, x, v: [] }), ...made(after)])
    })
  }

  test('a let that takes x or vectors is made as its step begins, also by way of another let', async () => {
    const model = await serve({ let: { one: { product: ['x', 'vectors'] }, other: { sum: ['one', 'h'] } } }, [4, 4, 4])
    const [x, h, v] = [floats(4, 61), floats(4, 62), floats(4, 63)]
    const { parts } = await model.sequence({ x: new Tensor([1, 1, 4], Float32Array.from(x)), h_0: row(h), context: { vectors: row(v) }, parts: ['one', 'other'] })
    assertClose(only(parts?.one), x.map((one, i) => one * v[i]))
    assertClose(only(parts?.other), x.map((one, i) => one * v[i] + h[i]))
  })
})

type Score = (key: readonly number[], q: readonly number[]) => number
const additive = (activation: (v: number) => number): Score => (key, q) => dot([...TENSORS['v [5]'].data], q.map((one, i) => activation(one + key[i])))
const cosine: Score = (key, q) => dot(key, q) / Math.sqrt(dot(key, key) * dot(q, q))
const query5 = { weight: 'W [5, 4]', bias: 'b [5]' }
const queried = ({ h }: Parts): number[] => times('W [5, 4]', h, 'b [5]')
const keyed = (s: readonly number[]): number[] => times('W [5, 4]', s)

type OfParts = ((parts: Parts) => readonly number[]) | undefined
type OfSupport = ((s: readonly number[]) => number[]) | undefined

const READS: ReadonlyArray<[read: object, score: Score, query?: OfParts, key?: OfSupport, value?: OfSupport]> = [
  [{}, dot],
  [{ score: 'dot' }, dot],
  [{ score: 'dot', scale: -2 }, (k, q) => -2 * dot(k, q)],
  [{ score: 'scaled_dot' }, (k, q) => dot(k, q) / 2],
  [{ score: 'scaled_dot', scale: 3 }, (k, q) => 3 * dot(k, q) / 2],
  [{ score: 'scaled_dot', query: query5, key: { weight: 'W [5, 4]' } }, (k, q) => dot(k, q) / Math.sqrt(5), queried, keyed],
  [{ score: 'cosine', scale: 4 }, (k, q) => 4 * cosine(k, q)],
  [{ query: { weight: 'W [4, 4]' } }, dot, ({ h }) => times('W [4, 4]', h)],
  [{ query: { weight: 'W [4, 4]', bias: 'b [4]', activation: 'tanh' } }, dot, ({ h }) => times('W [4, 4]', h, 'b [4]').map(Math.tanh)],
  [{ query: { weight: 'W [4, 8]', of: ['h', 'c'] } }, dot, ({ h, c }) => times('W [4, 8]', [...h, ...c])],
  [{ key: { weight: 'W [4, 4]', bias: 'b [4]' } }, dot, undefined, (s) => times('W [4, 4]', s, 'b [4]')],
  [{ key: { weight: 'W [4, 4]', transposed: true } }, dot, undefined, (s) => times('W [4, 4]', s, undefined, true)],
  [{ value: { weight: 'W [2, 4]', bias: 'b [2]' } }, dot, undefined, undefined, (s) => times('W [2, 4]', s, 'b [2]')],
  [{ key: { weight: 'W [4, 4]', bias: 'b [4]' }, value: 'key' }, dot, undefined, (s) => times('W [4, 4]', s, 'b [4]'), (s) => times('W [4, 4]', s, 'b [4]')],
  [{ score: 'additive', query: query5, key: { weight: 'W [5, 4]' }, v: 'v [5]' }, additive(Math.tanh), queried, keyed],
  [{ score: 'additive', query: query5, key: { weight: 'W [5, 4]' }, v: 'v [5]', activation: 'tanh', scale: 2 }, (k, q) => 2 * additive(Math.tanh)(k, q), queried, keyed],
  [{ score: 'additive', query: query5, key: { weight: 'W [5, 4]' }, v: 'v [5]', activation: 'relu' }, additive((v) => Math.max(0, v)), queried, keyed]
]

describe('a read is made as it says', () => {
  for (const [read, score, query = ({ h }: Parts) => h, key = (s: readonly number[]) => [...s], value = (s: readonly number[]) => [...s]] of READS) {
    test(JSON.stringify(read), async () => {
      const model = await serve({ read }, [3, 4, 4])
      const [x, h, c] = [floats(3, 61), floats(4, 62), floats(4, 63)]
      const support = new Tensor([3, 4], Float32Array.from(SUPPORT.flat()))
      const answer = await model.sequence({ x: new Tensor([1, 1, 3], Float32Array.from(x)), h_0: row(h), c_in: row(c), context: { support }, parts: ['read', 'attention'] })
      const attend = (parts: Parts): { read: number[], weights: number[] } => {
        const weights = softmax(SUPPORT.map((s) => score(key(s), query(parts))))
        const values = SUPPORT.map(value)
        return { weights, read: values[0].map((_, j) => dot(weights, values.map((one) => one[j]))) }
      }
      const entries = [{ h, c, x, v: [] }, { h: only(answer.h_out), c: only(answer.c_out), x, v: [] }].map(attend)
      assertClose(only(answer.parts?.attention), entries.flatMap(({ weights }) => weights))
      assertClose(only(answer.parts?.read), entries.flatMap((entry) => entry.read))
    })
  }

  test('v is a vector, whatever dimensions of 1 it has', async () => {
    for (const v of ['v [5]', 'v [1, 5]', 'v [5, 1]']) {
      const { policy } = await wire({ read: { score: 'additive', query: query5, key: { weight: 'W [5, 4]' }, v } }, [3, 4, 4])
      assert.deepEqual(policy.wiring?.read?.v, TENSORS[v].data)
    }
  })
})

describe('what the cell reads', () => {
  const x = floats(2, 61)
  const v = floats(3, 62)
  const h = floats(4, 63)
  const request = { x: new Tensor([1, 1, 2], Float32Array.from(x)), h_0: row(h) }

  /** What the bare cell makes of an x and an h_in. */
  async function assertReads (options: object, sizes: Sizes, context: object, xIn: readonly number[], hIn: readonly number[]): Promise<void> {
    const model = await serve(options, sizes)
    const answer = await model.sequence({ ...request, context })
    const bare = await model.step({ x: row(xIn), h_in: row(hIn) })
    assertClose(only(answer.h_out), only(bare.h_out))
    assertClose(only(answer.c_out), only(bare.c_out))
  }

  test('is x and h unless it is said', async () => {
    await assertReads({}, [2, 4, 4], {}, x, h)
  })

  test('as its x, may be made of anything', async () => {
    await assertReads({ x: ['h', 'x', 'vectors'], widths: { vectors: 3 } }, [9, 4, 4], { vectors: row(v) }, [...h, ...x, ...v], h)
    await assertReads({ x: { weight: 'W [5, 6]', bias: 'b [5]', activation: 'tanh', of: ['x', 'h'] } }, [5, 4, 4], {}, times('W [5, 6]', [...x, ...h], 'b [5]').map(Math.tanh), h)
  })

  test('as its x, may be a read, in a GRU too', async () => {
    const model = await serve({ read: { score: 'dot' }, x: ['x', 'read'] }, [6, 4, 4], { kind: 'gru' })
    const answer = await model.sequence({ ...request, context: { support: row(h) } })
    assertClose(only(answer.h_out), only((await model.step({ x: row([...x, ...h]), h_in: row(h) })).h_out))
  })

  test('as its x, may be as wide as the request\'s, and another', async () => {
    const model = await serve({ x: { weight: 'W [4, 4]', activation: 'tanh', of: 'x' } }, [4, 4, 4])
    const answer = await model.sequence({ x: new Tensor([1, 1, 4], Float32Array.from(h)) })
    assertClose(only(answer.h_out), only((await model.step({ x: row(times('W [4, 4]', h).map(Math.tanh)) })).h_out))
  })

  test('as its h, too', async () => {
    await assertReads({ h_in: ['vectors', 'h', 'x'] }, [2, 9, 4], { vectors: row(v) }, x, [...v, ...h, ...x])
    await assertReads({ let: { a: { product: ['h', 'h'] } }, h_in: ['a', 'h'] }, [2, 8, 4], {}, x, [...h.map((one) => one * one), ...h])
  })
})

describe('widths', () => {
  const widths = async (options: object, sizes: Sizes): Promise<Array<number | undefined>> => {
    const { policy: { x, vectors, wiring } } = await wire(options, sizes)
    return [x, vectors, wiring?.read?.support]
  }

  test('of x: what the wiring leaves of I', async () => {
    assert.deepEqual(await widths({}, [3, 4, 4]), [3, undefined, undefined])
    assert.deepEqual(await widths({ x: ['x', 'h'] }, [7, 4, 4]), [3, undefined, undefined])
    assert.deepEqual(await widths({ x: ['x', 'h', 'x'] }, [10, 4, 4]), [3, undefined, undefined])
    assert.deepEqual(await widths({ x: { weight: 'W [5, 6]', of: ['x', 'h'] } }, [5, 4, 4]), [2, undefined, undefined])
    assert.deepEqual(await widths({ x: { sum: ['x', 'h'] } }, [4, 4, 4]), [4, undefined, undefined])
    assert.deepEqual(await widths({ let: { a: ['x', 'x'] }, x: ['a', 'h'] }, [10, 4, 4]), [3, undefined, undefined])
    assert.deepEqual(await widths({ let: { a: { sum: ['x', 'c'] } }, x: ['a', 'vectors'] }, [7, 4, 4]), [4, 3, undefined])
  })

  test('of x: none if the wiring leaves it out', async () => {
    assert.deepEqual(await widths({ x: ['h'] }, [4, 4, 4]), [0, undefined, undefined])
    assert.deepEqual(await widths({ x: ['h'], residual: true }, [4, 4, 4]), [4, undefined, undefined])
    assert.deepEqual(await widths({ x: ['h'], initial: 'x' }, [4, 4, 4]), [4, undefined, undefined])
    const { layers, ...rest } = setting([3, 4, 4])
    const [[{ cell }]] = layers.nodes
    const without = { ...cell, sizes: { I: 0, Hi: 4, Ho: 4 }, weightIh: new Float32Array(0) }
    const { policy } = await createPolicy({ policy: 'wiring' }, { layers: { kind: 'lstm', nodes: [[{ cell: without }]] }, ...rest })
    assert.equal(policy.x, 0)
  })

  test('of vectors: what is left, or what widths says', async () => {
    assert.deepEqual(await widths({ h_in: ['h', 'vectors'] }, [3, 9, 4]), [3, 5, undefined])
    assert.deepEqual(await widths({ x: ['x', 'vectors'], widths: { vectors: 2 } }, [7, 4, 4]), [5, 2, undefined])
    assert.deepEqual(await widths({ x: ['x', 'vectors'], widths: { x: 2 } }, [7, 4, 4]), [2, 5, undefined])
    assert.deepEqual(await widths({ let: { a: 'vectors' }, widths: { vectors: 6 } }, [3, 4, 4]), [3, 6, undefined])
  })

  test('of a support vector: by its layers, or that of the query', async () => {
    assert.deepEqual(await widths({ read: {} }, [3, 4, 4]), [3, undefined, 4])
    assert.deepEqual(await widths({ read: { query: query5 } }, [3, 4, 4]), [3, undefined, 5])
    assert.deepEqual(await widths({ read: { query: query5, key: { weight: 'W [5, 8]' } } }, [3, 4, 4]), [3, undefined, 8])
    assert.deepEqual(await widths({ read: { query: query5, value: { weight: 'W [5, 5]' } } }, [3, 4, 4]), [3, undefined, 5])
    assert.deepEqual(await widths({ read: {}, widths: { support: 4 } }, [3, 4, 4]), [3, undefined, 4])
  })

  test('of a read: that of its values', async () => {
    const width = async (read: object, I: number): Promise<number> => (await wire({ read, x: ['x', 'read'] }, [I, 4, 4])).policy.x
    assert.equal(await width({}, 7), 3)
    assert.equal(await width({ value: { weight: 'W [2, 4]' } }, 7), 5)
    assert.equal(await width({ query: query5, key: { weight: 'W [5, 6]' } }, 8), 2)
    assert.equal(await width({ query: query5, key: { weight: 'W [5, 6]' }, value: 'key' }, 8), 3)
  })
})

test('the first feed sees h = h_0 and a read, with residual h = x; or what is said', async () => {
  const initial = async (options: object): Promise<string> => (await wire(options, [4, 4, 4])).policy.initial
  assert.equal(await initial({}), 'read')
  assert.equal(await initial({ residual: true }), 'x')
  assert.equal(await initial({ residual: true, initial: 'read' }), 'read')
  assert.equal(await initial({ initial: 'no-read' }), 'no-read')
  assert.equal(await initial({ initial: 'x' }), 'x')
})

test('the context has what the wiring needs', async () => {
  const fields = async (options: object, I: number): Promise<string[]> => Object.keys(Object((await wire(options, [I, 4, 4])).policy.context).properties)
  assert.deepEqual(await fields({}, 3), [])
  assert.deepEqual(await fields({ x: ['x', 'vectors'], widths: { x: 1 } }, 3), ['vectors'])
  assert.deepEqual(await fields({ read: {} }, 3), ['support', 'support_lengths'])
  assert.deepEqual(await fields({ read: {}, x: ['read', 'vectors'] }, 7), ['vectors', 'support', 'support_lengths'])
})

test('in a stack the wiring is in front of the first layer, and h and c are the last one\'s', async () => {
  const model = await serve({ x: ['x', 'made'], let: { made: ['c', 'h'] } }, [11, 4, 4], { layers: 2 })
  const [x, h, c] = [floats(3, 61), floats(8, 62), floats(8, 63)]
  const answer = await model.sequence({ x: new Tensor([1, 1, 3], Float32Array.from(x)), h_in: row(h), c_in: row(c), parts: ['made'] })
  const bare = await model.step({ x: row([...x, ...c.slice(4), ...h.slice(4)]), h_in: row(h), c_in: row(c) })
  assertClose(only(answer.h_out), only(bare.h_out))
  assertClose(only(answer.parts?.made).slice(8), [...only(bare.c_out).slice(4), ...only(bare.h_out).slice(4)])
})

const additively = { score: 'additive', query: query5, key: { weight: 'W [5, 4]' } }

const REFUSALS: ReadonlyArray<[options: object, sizes: Sizes, message: string, cells?: { kind?: CellKind, layers?: number }]> = [
  // The form.
  [{ colour: 'red' }, [3, 4, 4], '/feedback/colour: is not a known field'],
  [{ x: 7 }, [3, 4, 4], '/feedback/x: expected a name, a list of feeds, or an object with sum, product or weight, got 7'],
  [{ x: null }, [3, 4, 4], '/feedback/x: expected a name, a list of feeds, or an object with sum, product or weight, got null'],
  [{ x: ['x', []] }, [3, 4, 4], '/feedback/x/1: is an empty list, expected at least one feed'],
  [{ x: { sum: ['x'] } }, [3, 4, 4], '/feedback/x/sum: must NOT have fewer than 2 items, got an array'],
  [{ x: { sum: ['x', 'x'], of: 'x' } }, [3, 4, 4], '/feedback/x/of: is not a known field'],
  [{ h_in: { product: 'h' } }, [3, 4, 4], '/feedback/h_in/product: must be array, got the string "h"'],
  [{ h_in: { weight: 'W [4, 4]' } }, [3, 4, 4], '/feedback/h_in/of: is required'],
  [{ h_in: { of: 'h' } }, [3, 4, 4], '/feedback/h_in/weight: is required'],
  [{ h_in: ['h', { weight: 'W [4, 4]', of: 'h', actviation: 'tanh' }] }, [3, 4, 4], '/feedback/h_in/1/actviation: is not a known field'],
  [{ h_in: { weight: 'W [4, 4]', of: 'h', activation: 'gelu' } }, [3, 4, 4], '/feedback/h_in/activation: expected one of none, tanh, relu, sigmoid, softmax, log_softmax, got the string "gelu"'],
  [{ let: ['h'] }, [3, 4, 4], '/feedback/let: must be object, got an array'],
  [{ initial: 'zero' }, [3, 4, 4], '/feedback/initial: expected one of read, x, no-read, got the string "zero"'],
  // Names.
  [{ x: ['x', 'y'] }, [3, 4, 4], '/feedback/x/1: there is no y: the model has no readout'],
  [{ x: ['x', 'read'] }, [3, 4, 4], '/feedback/x/1: there is no read: define one in /feedback/read'],
  [{ x: ['x', 'h_last'] }, [3, 4, 4], '/feedback/x/1: h_last is for networks of two directions; in one direction "return_sequences": false in a request gives y of the last step'],
  [{ x: ['x', 'memory'] }, [3, 4, 4], '/feedback/x/1: there is no part memory; there are x, vectors, h, c'],
  [{ x: ['x', 'c'] }, [3, 4, 4], '/feedback/x/1: there is no c: the cell is of kind gru', { kind: 'gru' }],
  [{ let: { a: 'h', b: 'd' }, x: ['x', 'a'] }, [7, 4, 4], '/feedback/let/b: there is no part d; there are x, vectors, h, c, a'],
  [{ let: { a: ['b'], b: ['a'] } }, [3, 4, 4], '/feedback/let/a/0: b is not defined yet: a let can use only the lets before it, so that there is no loop'],
  [{ let: { a: { sum: ['h', 'a'] } } }, [3, 4, 4], '/feedback/let/a/sum/1: a is not defined yet: a let can use only the lets before it, so that there is no loop'],
  ...['x', 'h', 'h_last', 'c', 'read', 'vectors', 'support', 'y', 'attention', 'output', 'h_in', 'h0', 'c12', 'given', 'host'].map((name): [object, Sizes, string] =>
    [{ let: { [name]: 'h' } }, [3, 4, 4], `/feedback/let/${name}: the name ${name} has a meaning of its own: choose another one`]),
  ...[['1st', '1st'], ['a b', 'a b'], ['__proto__', '__proto__'], ['a/b', 'a~1b'], ['', '']].map(([name, pointer]): [object, Sizes, string] =>
    [{ let: JSON.parse(JSON.stringify({ name: 'h' }).replace('name', name)) }, [3, 4, 4], `/feedback/let/${pointer}: expected a name of letters, digits and _, a letter first`]),
  // Tensors.
  [{ h_in: { weight: 'Q', of: 'h' } }, [3, 4, 4], `/feedback/h_in/weight: tensor Q: is missing; found ${Object.keys(TENSORS).join(', ')}`],
  [{ h_in: { weight: 'b [4]', of: 'h' } }, [3, 4, 4], '/feedback/h_in/weight: tensor b [4]: expected a matrix [out, in], found [4]'],
  [{ h_in: { weight: 'b [4]', transposed: true, of: 'h' } }, [3, 4, 4], '/feedback/h_in/weight: tensor b [4]: expected a matrix [in, out], found [4]'],
  [{ h_in: { weight: 'W [2, 4, 3]', of: 'h' } }, [3, 4, 4], '/feedback/h_in/weight: tensor W [2, 4, 3]: expected a matrix [out, in], found [2, 4, 3]'],
  [{ h_in: { weight: 'W [0, 4]', of: 'h' } }, [3, 4, 4], '/feedback/h_in/weight: tensor W [0, 4]: expected a matrix [out, in], found [0, 4]'],
  [{ h_in: { weight: 'W [4, 4]', bias: 'b [2]', of: 'h' } }, [3, 4, 4], '/feedback/h_in/bias: tensor b [2]: expected [4], found [2]'],
  [{ h_in: { weight: 'W [4, 4]', bias: 'W [2, 4]', of: 'h' } }, [3, 4, 4], '/feedback/h_in/bias: tensor W [2, 4]: expected [4], found [2, 4]'],
  // Widths.
  [{ x: ['h'] }, [3, 4, 4], '/feedback/x: h 4 has 4 numbers, but x has I = 3'],
  [{ x: ['x', 'h'] }, [4, 4, 4], '/feedback/x: [x, h 4] leaves no numbers for x: x has I = 4'],
  [{ x: ['x', 'h'] }, [3, 4, 4], '/feedback/x: [x, h 4] leaves no numbers for x: x has I = 3'],
  [{ x: ['x', 'x'] }, [7, 4, 4], '/feedback/x: [x, x] leaves 7 numbers, not divisible by 2, for x: x has I = 7'],
  [{ x: { weight: 'W [5, 6]', of: 'h' } }, [5, 4, 4], '/feedback/x: h 4 has 4 numbers, but tensor W [5, 6] [5, 6] takes 6'],
  [{ x: { weight: 'W [5, 6]', transposed: true, of: 'h' } }, [6, 4, 4], '/feedback/x: h 4 has 4 numbers, but tensor W [5, 6] [5, 6], transposed, takes 5'],
  [{ x: { weight: 'W [5, 4]', of: 'h' } }, [3, 4, 4], '/feedback/x: a layer of 5 has 5 numbers, but x has I = 3'],
  [{ h_in: ['h', 'c', { weight: 'W [5, 4]', of: 'h' }] }, [3, 4, 4], '/feedback/h_in: [h 4, c 4, a layer of 5] has 13 numbers, but h_in has Hi = 4'],
  [{}, [3, 5, 4], '/feedback/h_in: h 4 has 4 numbers, but h_in has Hi = 5'],
  [{ let: { a: { sum: ['h', { weight: 'W [5, 4]', of: 'h' }] } } }, [3, 4, 4], '/feedback/let/a/sum: h 4 has 4 numbers and a layer of 5 has 5, but a sum needs vectors of the same width'],
  [{ let: { a: { product: ['x', 'h'] } } }, [3, 4, 4], '/feedback/x: x 4 has 4 numbers, but x has I = 3'],
  [{ residual: true }, [3, 4, 4], '/feedback/residual: h 4 has 4 numbers and x 3 has 3, but residual adds x to h'],
  [{ initial: 'x' }, [3, 4, 4], '/feedback/initial: h 4 has 4 numbers and x 3 has 3, but h begins as x'],
  [{ x: ['x', 'vectors'] }, [7, 4, 4], '/feedback/widths: must say how many numbers x or vectors have: [x, vectors] alone does not determine it'],
  [{ let: { a: 'vectors' } }, [3, 4, 4], '/feedback/widths: must say how many numbers vectors has: vectors alone does not determine it'],
  [{ x: ['x', 'vectors'], widths: { vectors: 7 } }, [7, 4, 4], '/feedback/x: [x, vectors 7] leaves no numbers for x: x has I = 7'],
  [{ widths: { vectors: 7 } }, [7, 4, 4], '/feedback/widths/vectors: vectors is not a part of this wiring'],
  [{ widths: { support: 7 } }, [7, 4, 4], '/feedback/widths/support: support is not a part of this wiring'],
  [{ widths: { x: 2 } }, [3, 4, 4], '/feedback/x: x 2 has 2 numbers, but x has I = 3'],
  [{ widths: { x: 0 } }, [3, 4, 4], '/feedback/widths/x: must be >= 1, got 0'],
  [{ widths: { h: 4 } }, [3, 4, 4], '/feedback/widths/h: is not a known field'],
  // Stacks.
  [{ h_in: ['h'] }, [3, 4, 4], '/feedback/h_in: each layer of a stack reads its own h: leave out h_in', { layers: 2 }],
  // Reads.
  [{ read: [] }, [3, 4, 4], '/feedback/read: must be object, got an array'],
  [{ read: { scroe: 'dot' } }, [3, 4, 4], '/feedback/read/scroe: is not a known field'],
  [{ read: { score: 'bilinear' } }, [3, 4, 4], '/feedback/read/score: expected one of dot, scaled_dot, cosine, additive, got the string "bilinear"'],
  [{ read: { query: { weight: 'Q' } } }, [3, 4, 4], `/feedback/read/query/weight: tensor Q: is missing; found ${Object.keys(TENSORS).join(', ')}`],
  [{ read: { query: { weight: 'W [4, 4]', of: ['h', 'x'] } } }, [3, 4, 4], '/feedback/read/query/of/1: a query is computed from h and c, not from x'],
  [{ read: { query: { weight: 'W [4, 4]', of: 'c' } } }, [3, 4, 4], '/feedback/read/query/of: a query is computed from h, not from c', { kind: 'rnn' }],
  [{ read: { query: { weight: 'W [4, 8]' } } }, [3, 4, 4], '/feedback/read/query: h 4 has 4 numbers, but tensor W [4, 8] [4, 8] takes 8'],
  [{ read: { key: { weight: 'W [5, 4]' } } }, [3, 4, 4], '/feedback/read/query: h 4 has 4 numbers, but a key, by tensor W [5, 4], has 5'],
  [{ read: { key: { weight: 'W [4, 8]' }, value: { weight: 'W [5, 6]' } } }, [3, 4, 4], '/feedback/read/value: support 8 has 8 numbers, but tensor W [5, 6] [5, 6] takes 6'],
  [{ read: { value: { weight: 'W [5, 6]' } } }, [3, 4, 4], '/feedback/read/value: support 4 has 4 numbers, but tensor W [5, 6] [5, 6] takes 6'],
  [{ read: {}, widths: { support: 5 } }, [3, 4, 4], '/feedback/read: h 4 has 4 numbers and support 5 has 5, but without a key the score is computed from the query and the support vector'],
  [{ read: { value: 'key' } }, [3, 4, 4], '/feedback/read/value: is the key, and there is no key'],
  [{ read: { value: 'W [2, 4]' } }, [3, 4, 4], '/feedback/read/value: must be object, got the string "W [2, 4]"'],
  [{ read: { key: { weight: 'W [4, 4]', activation: 'tanh' } } }, [3, 4, 4], '/feedback/read/key/activation: is not a known field'],
  [{ read: { score: 'additive' } }, [3, 4, 4], '/feedback/read/v: is required for the score additive: the name of a tensor [A], A the width of the query'],
  [{ read: { ...additively, v: 'b [4]' } }, [3, 4, 4], '/feedback/read/v: tensor b [4]: expected [5], found [4]'],
  [{ read: { ...additively, v: 'W [5, 5]' } }, [3, 4, 4], '/feedback/read/v: tensor W [5, 5]: expected [5], found [5, 5]'],
  [{ read: { ...additively, v: 'v [5]', activation: 'sigmoid' } }, [3, 4, 4], '/feedback/read/activation: expected one of tanh, relu, got the string "sigmoid"'],
  [{ read: { score: 'dot', v: 'v [5]' } }, [3, 4, 4], '/feedback/read/v: is for the score additive, not for dot'],
  [{ read: { activation: 'relu' } }, [3, 4, 4], '/feedback/read/activation: is for the score additive, not for dot']
]

describe('a wiring that cannot be is refused, with where and why, in one line', () => {
  for (const [options, sizes, message, cells] of REFUSALS) {
    test(`${JSON.stringify(options)} of ${sizes.join(', ')}`, async () => {
      await assert.rejects(wire(options, sizes, cells), { name: 'InputError', message })
    })
  }

  test('x that a cell without W_ih does not read', async () => {
    const { layers, ...rest } = setting([3, 4, 4])
    const [[{ cell }]] = layers.nodes
    const without = { kind: layers.kind, nodes: [[{ cell: { ...cell, sizes: { ...sizesOf(layers), I: 0 }, weightIh: new Float32Array(0) } }]] } as const
    await assert.rejects(createPolicy({ policy: 'wiring', x: ['h'] }, { layers: without, ...rest }), { message: '/feedback/x: the cell reads no x: its file has no W_ih' })
  })
})

test('attention weights that no read made are zeros, whoever was in the batch before', async () => {
  const model = await serve({ initial: 'no-read', h_in: [{ sum: ['h', 'read'] }], read: {} }, [3, 4, 4])
  const request = { x: new Tensor([1, 2, 3], Float32Array.from(floats(6, 5))), context: { support: new Tensor([3, 4], Float32Array.from(SUPPORT.flat())) }, parts: ['attention'] }
  for (let n = 0; n < 3; n++) {
    const { parts } = await model.sequence(request)
    const weights = only(parts?.attention)
    assert.deepEqual(weights.slice(0, 3), [0, 0, 0])
    assertClose([weights[3] + weights[4] + weights[5]], [1])
  }
})
