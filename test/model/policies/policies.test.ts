import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sizesOf } from '../../../src/network/layers.ts'
import { createModel, type Model } from '../../../src/model/model.ts'
import { createPolicy, POLICIES, type PolicyOptions } from '../../../src/model/policies/policies.ts'
import type { PolicySetting } from '../../../src/model/policies/policy.ts'
import { Tensor } from '../../../src/tensor/tensor.ts'
import { testDeps, testHosting } from '../../support/app.ts'
import { tensorOf } from '../../support/nested.ts'
import { drawLayers, drawTensor, fileOf } from '../../support/policies.ts'
import { drawCell } from '../../support/networks.ts'
import { createRandom, randomFloats } from '../../support/random.ts'
import { bareLayers } from '../../support/reference.ts'

function setting (I: number, Hi: number, Ho: number, tensors: Parameters<typeof fileOf>[0] = {}): PolicySetting {
  return { layers: bareLayers(drawCell({ I, Hi, Ho }, createRandom(1))), folder: undefined, tensor: fileOf(tensors), tensors: () => [], hosting: testHosting() }
}

async function modelOf (options: PolicyOptions, model: PolicySetting): Promise<Model> {
  return await createModel({ name: 'test', version: '1', layers: model.layers, policy: await createPolicy(options, model) }, await testDeps())
}

function random (...shape: number[]): Tensor {
  return new Tensor(shape, randomFloats(shape.reduce((a, b) => a * b), createRandom(shape.length)))
}

function rowOf ({ data, shape }: Tensor, row: number): number[] {
  const width = data.length / shape[0]
  return [...data.subarray(row * width, (row + 1) * width)]
}

/** Row 1 of 2, after 3 steps: its h, and what it would read next. */
async function nextOf (options: PolicyOptions, model: PolicySetting, context: unknown = {}): Promise<{ h: number[], next: number[] | undefined }> {
  const answer = await (await modelOf(options, model)).sequence({ x: random(2, 3, sizesOf(model.layers).I), context })
  return { h: rowOf(answer.h_out, 1), next: answer.h_next === undefined ? undefined : rowOf(answer.h_next, 1) }
}

function assertClose (actual: readonly number[] | undefined, expected: readonly number[]): void {
  assert.equal(actual?.length, expected.length)
  actual?.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-6, `${value} is not ${expected[i]}`))
}

test('without a policy it is identity if Hi = Ho, else none', async () => {
  assert.equal((await createPolicy(undefined, setting(1, 2, 2))).name, 'identity')
  const { name, policy } = await createPolicy(undefined, setting(1, 3, 2))
  assert.equal(name, 'none')
  assert.equal(policy.wiring, undefined)
})

test('a policy has its options, as they are set or by default', async () => {
  const optionsOf = async (options: PolicyOptions, model: PolicySetting) => (await createPolicy(options, model)).options
  assert.deepEqual(await optionsOf({ policy: 'attention' }, setting(2, 4, 2)), { policy: 'attention', combine: 'concat', residual: false })
  const given = { policy: 'attention', combine: 'sum', residual: true }
  assert.deepEqual(await optionsOf(given, setting(2, 2, 2)), given)
  const tensors = { P: new Tensor([3, 2], new Float32Array(6)) }
  assert.deepEqual(await optionsOf({ policy: 'projection', weight: 'P' }, setting(1, 3, 2, tensors)), { policy: 'projection', weight: 'P' })
  assert.deepEqual(await optionsOf({ policy: 'repeat' }, setting(1, 4, 2)), { policy: 'repeat' })
})

test('identity is h', async () => {
  const { h, next } = await nextOf({ policy: 'identity' }, setting(1, 2, 2))
  assert.deepEqual(next, h)
})

test('repeat is h as often as fills h_in', async () => {
  const { h, next } = await nextOf({ policy: 'repeat' }, setting(1, 6, 2))
  assert.deepEqual(next, [...h, ...h, ...h])
})

test('concat is h and the vector of all, or of the row', async () => {
  const read = async (vectors: unknown[]) => await nextOf({ policy: 'concat' }, setting(1, 3, 2), { vectors: tensorOf(vectors) })
  const one = await read([7])
  assert.deepEqual(one.next, [...one.h, 7])
  const each = await read([[7], [8]])
  assert.deepEqual(each.next, [...each.h, 8])
})

test('concat with a vector per step reads each at its step, and only the client knows the one after the last', async () => {
  const model = await modelOf({ policy: 'concat' }, setting(1, 3, 2))
  const x = random(2, 3, 1)
  const vectors = random(2, 3, 1)
  const whole = await model.sequence({ x, context: { vectors } })
  assert.equal(whole.h_next, undefined)
  const row = 1
  let h = [0, 0]
  let c: number[] = [0, 0]
  for (let t = 0; t < 3; t++) {
    const step = await model.step({
      x: new Tensor([1], x.data.slice(row * 3 + t, row * 3 + t + 1)),
      h_in: new Tensor([3], Float32Array.of(...h, vectors.data[row * 3 + t])),
      c_in: new Tensor([2], Float32Array.from(c))
    })
    h = [...step.h_out.data]
    c = [...step.c_out?.data ?? []]
    assertClose(h, [...whole.output.data.subarray((row * 3 + t) * 2, (row * 3 + t + 1) * 2)])
  }
  const unbatched = await model.sequence({ x: new Tensor([3, 1], x.data.slice(3)), context: { vectors: new Tensor([3, 1], vectors.data.slice(3)) } })
  assertClose([...unbatched.h_out.data], h)
})

test('a given h_in takes the place of the first feed alone', async () => {
  const model = await modelOf({ policy: 'concat' }, setting(1, 3, 2))
  const x = random(1, 2, 1)
  const context = { vectors: tensorOf([7]) }
  const given = Float32Array.of(1, 2, 3)
  const whole = await model.sequence({ x, context, h_in: new Tensor([3], given) })
  const first = await model.step({ x: new Tensor([1, 1], x.data.slice(0, 1)), h_in: new Tensor([1, 3], given) })
  assertClose([...whole.output.data.subarray(0, 2)], [...first.h_out.data])
  const second = await model.step({ x: new Tensor([1, 1], x.data.slice(1)), h_in: new Tensor([1, 3], Float32Array.of(...first.h_out.data, 7)), c_in: first.c_out })
  assertClose([...whole.h_out.data], [...second.h_out.data])
})

test('concat takes ragged vectors if they are as long as the rows', async () => {
  const model = await modelOf({ policy: 'concat' }, setting(1, 3, 2))
  const x = new Tensor([2, 3, 1], Float32Array.of(1, 0, 0, 2, 3, 4), Uint32Array.of(1, 3))
  const { lengths, output } = { lengths: [1, 3], ...await model.sequence({ x, context: { vectors: tensorOf([[[1]], [[2], [3], [4]]]) } }) }
  assert.deepEqual([...output.data.subarray(2, 6)], [0, 0, 0, 0], `row 0 has ${lengths[0]} step`)
  await assert.rejects(model.sequence({ x, context: { vectors: tensorOf([[[1], [2]], [[2], [3], [4]]]) } }), /\/context\/vectors\/0: expected 1 vectors, .*, got 2/)
})

test('vectors that do not fit the request are refused', async () => {
  const model = await modelOf({ policy: 'concat' }, setting(1, 3, 2))
  const x = random(2, 3, 1)
  for (const [vectors, message] of [
    [[1, 2], /expected vectors of 1 numbers, got 2/],
    [[[1]], /a vector for each of the 2 rows, got 1/],
    [[[[1], [1], [1]]], /vectors for each of the 2 rows, got 1/],
    [[[[1], [1]], [[1], [1]]], /expected 3 vectors per row, one per step, got 2/]
  ] as const) {
    await assert.rejects(model.sequence({ x, context: { vectors: tensorOf(vectors) } }), message)
  }
  await assert.rejects(model.sequence({ x }), /\/context\/vectors: is required/)
})

test('projection is P h + p, of the model\'s tensors', async () => {
  const model = setting(1, 3, 2, {
    P: new Tensor([3, 2], Float32Array.of(1, 0, 0, 1, 1, 1)),
    p: new Tensor([3], Float32Array.of(0, 0, 0.5))
  })
  const plain = await nextOf({ policy: 'projection', weight: 'P' }, model)
  assertClose(plain.next, [...plain.h, plain.h[0] + plain.h[1]])
  const biased = await nextOf({ policy: 'projection', weight: 'P', bias: 'p' }, model)
  assertClose(biased.next, [...biased.h, biased.h[0] + biased.h[1] + 0.5])
  await assert.rejects(createPolicy({ policy: 'projection', weight: 'p' }, model), /^InputError: \/feedback\/weight: tensor p: expected a matrix \[out, in\], found \[3\]$/)
  await assert.rejects(createPolicy({ policy: 'projection', weight: 'Q' }, model), /^InputError: \/feedback\/weight: tensor Q: is missing; found P, p$/)
})

test('attention reads the support by the softmax of its scores', async () => {
  const support = [[1, 0], [0, 1], [1, 1]]
  const readOf = (h: readonly number[]): number[] => {
    const scores = support.map((s) => Math.exp(s[0] * h[0] + s[1] * h[1]))
    const sum = scores.reduce((a, b) => a + b)
    return [0, 1].map((j) => scores.reduce((total, score, i) => total + score / sum * support[i][j], 0))
  }
  for (const [N, given] of [['[N][D]', support], ['[B][N][D]', [[[9, 9]], support].map((set) => set.length === 3 ? set : support)]] as const) {
    const joined = await nextOf({ policy: 'attention' }, setting(1, 4, 2), { support: tensorOf(given) })
    assertClose(joined.next, [...joined.h, ...readOf(joined.h)])
    const summed = await nextOf({ policy: 'attention', combine: 'sum' }, setting(1, 2, 2), { support: tensorOf(given) })
    assertClose(summed.next, summed.h.map((value, j) => value + readOf(summed.h)[j]))
    assert.ok(N)
  }
})

test('attention takes a read of its own, which may be of another width', async () => {
  const value = new Tensor([3, 2], Float32Array.of(1, 0, 0, 1, 1, 1))
  const policy = { policy: 'attention', read: { score: 'cosine', scale: 5, value: { weight: 'V' } } }
  const { h, next } = await nextOf(policy, setting(1, 5, 2, { V: value }), { support: tensorOf([[1, 0]]) })
  assertClose(next, [...h, 1, 0, 1])
})

test('residual adds x to h, under any name', async () => {
  for (const [policy, Hi, context] of [['identity', 2, {}], ['repeat', 4, {}], ['concat', 3, { vectors: tensorOf([1]) }], ['attention', 4, { support: tensorOf([[1, 0]]) }]] as const) {
    const plain = await modelOf({ policy, initial: 'x' }, setting(2, Hi, 2))
    const residual = await modelOf({ policy, residual: true }, setting(2, Hi, 2))
    const request = { x: random(1, 1, 2), context }
    const { h_out: h } = await plain.sequence(request)
    const { h_out: sum, output } = await residual.sequence(request)
    assertClose([...sum.data], [...h.data].map((value, j) => value + request.x.data[j]))
    assert.deepEqual(output.data, sum.data)
  }
})

test('a read with h = 0, with h = x, or none at all comes before the first step', async () => {
  const support = tensorOf([[1, 0], [0, 2]])
  const x = new Tensor([1, 1, 2], Float32Array.of(1, 3))
  const softmax = (a: number, b: number): [number, number] => [1 / (1 + Math.exp(b - a)), 1 / (1 + Math.exp(a - b))]
  const read = (h: readonly [number, number]): number[] => {
    const [a, b] = softmax(h[0], 2 * h[1])
    return [a, 2 * b]
  }
  for (const [options, first] of [
    [{}, [0, 0, ...read([0, 0])]],
    [{ initial: 'read' }, [0, 0, ...read([0, 0])]],
    [{ initial: 'x' }, [1, 3, ...read([1, 3])]],
    [{ initial: 'no-read' }, [0, 0, 0, 0]],
    [{ residual: true, initial: 'read' }, [0, 0, ...read([0, 0])]]
  ] as const) {
    const model = await modelOf({ policy: 'attention', ...options }, setting(2, 4, 2))
    const { c_out: c } = await model.sequence({ x, context: { support } })
    const expected = await model.step({ x, h_in: new Tensor([1, 4], Float32Array.from(first)) })
    assertClose([...c?.data ?? []], [...expected.c_out?.data ?? []])
  }
})

test('identity of a stack is each layer\'s own h, and the others are for one layer', async () => {
  const stack = { layers: drawLayers({ I: 2, Hi: 3, Ho: 3 }, { layers: 2 }), folder: undefined, tensor: fileOf({}), tensors: () => [], hosting: testHosting() }
  assert.equal((await createPolicy(undefined, stack)).policy.wiring?.h, 'own')
  assert.equal((await createPolicy({ policy: 'identity', residual: false }, stack)).policy.wiring?.h, 'own')
  for (const policy of ['repeat', 'concat', 'attention']) {
    await assert.rejects(createPolicy({ policy }, stack), { name: 'InputError', message: '/feedback: each layer of a stack reads its own h: leave out h_in' })
  }
  await assert.rejects(createPolicy({ policy: 'module' }, stack), /policy module needs a network of one layer and one direction/)
})

test('two directions read their own h and nothing else', async () => {
  const [[forward]] = drawLayers({ I: 2, Hi: 3, Ho: 3 }).nodes
  const both: PolicySetting = { layers: { kind: 'lstm', nodes: [[forward, forward]] }, folder: undefined, tensor: fileOf({}), tensors: () => [], hosting: testHosting() }
  assert.equal((await createPolicy(undefined, both)).name, 'identity')
  await assert.rejects(createPolicy({ policy: 'identity', residual: true }, both), /^InputError: \/feedback\/residual: is for networks of one direction, and this one has two$/)
  await assert.rejects(createPolicy({ policy: 'concat' }, both), /^InputError: \/feedback\/h_in: is for networks of one direction/)
})

test('a policy tells what config.json says of it', async () => {
  const options = { policy: 'attention', residual: true }
  assert.deepEqual((await createPolicy(options, setting(2, 4, 2))).options, options)
  assert.deepEqual((await createPolicy(undefined, setting(2, 2, 2))).options, { policy: 'identity' })
})

const MISFITS: ReadonlyArray<[options: PolicyOptions, model: PolicySetting, message: RegExp]> = [
  [{ policy: 'identity' }, setting(1, 3, 2), /^InputError: \/feedback: h 2 has 2 numbers, but h_in has Hi = 3$/],
  [{ policy: 'repeat' }, setting(1, 3, 2), /^InputError: \/feedback: h 2 has 2 numbers, but h_in has Hi = 3$/],
  [{ policy: 'repeat' }, setting(1, 7, 2), /^InputError: \/feedback: \[h 2, h 2, h 2\] has 6 numbers, but h_in has Hi = 7$/],
  [{ policy: 'concat' }, setting(1, 2, 2), /^InputError: \/feedback: \[h 2, vectors\] leaves no numbers for vectors: h_in has Hi = 2$/],
  [{ policy: 'projection', weight: 'P' }, setting(1, 3, 2, { P: drawTensor([3, 4]) }), /^InputError: \/feedback: h 2 has 2 numbers, but tensor P \[3, 4\] takes 4$/],
  [{ policy: 'projection', weight: 'P' }, setting(1, 4, 2, { P: drawTensor([3, 2]) }), /^InputError: \/feedback: a layer of 3 has 3 numbers, but h_in has Hi = 4$/],
  [{ policy: 'attention' }, setting(1, 3, 2), /^InputError: \/feedback: \[h 2, read 2\] has 4 numbers, but h_in has Hi = 3$/],
  [{ policy: 'attention', combine: 'sum' }, setting(1, 4, 2), /^InputError: \/feedback: sum\(h 2, read 2\) has 2 numbers, but h_in has Hi = 4$/],
  [{ policy: 'attention', residual: true }, setting(3, 4, 2), /^InputError: \/feedback\/residual: h 2 has 2 numbers and x 3 has 3, but residual adds x to h$/],
  [{ policy: 'identity', initial: 'x' }, setting(3, 2, 2), /^InputError: \/feedback\/initial: h 2 has 2 numbers and x 3 has 3, but h begins as x$/],
  [{ policy: 'identity', initial: 'last' }, setting(2, 2, 2), /^InputError: \/feedback\/initial: expected one of read, x, no-read, got the string "last"$/],
  [{ policy: 'nothing' }, setting(1, 3, 2), /expected one of none, identity, repeat, concat, projection, attention, wiring, module, got "nothing"/]
]

for (const [options, model, message] of MISFITS) {
  test(`${JSON.stringify(options)} on a cell of ${Object.entries(sizesOf(model.layers)).join(' ')} says what is wrong`, async () => {
    await assert.rejects(createPolicy(options, model), message)
  })
}

test('every policy refuses options that it does not know', async () => {
  for (const { name } of POLICIES) {
    await assert.rejects(createPolicy({ policy: name, colour: 'red' }, setting(1, 2, 1)), /\/feedback\/(colour: is not a known field|weight: is required)/)
  }
})
