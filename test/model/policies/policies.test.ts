import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createModel, type Model } from '../../../src/model/model.ts'
import { createPolicy, POLICIES, type PolicyOptions } from '../../../src/model/policies/policies.ts'
import type { PolicySetting } from '../../../src/model/policies/policy.ts'
import { Tensor } from '../../../src/tensor/tensor.ts'
import { testDeps, testHosting } from '../../support/app.ts'
import { randomArray, randomCell, randomNumbers } from '../../support/reference.ts'

function setting (I: number, Hi: number, Ho: number, tensors: Readonly<Record<string, Tensor>> = {}): PolicySetting {
  return {
    sizes: { I, Hi, Ho },
    folder: undefined,
    tensor: (name) => {
      if (!(name in tensors)) throw new Error(`tensor ${name}: is missing`)
      return tensors[name]
    },
    tensors: () => Object.entries(tensors),
    hosting: testHosting()
  }
}

async function modelOf (options: PolicyOptions, { sizes: { I, Hi, Ho }, ...rest }: PolicySetting): Promise<Model> {
  const policy = await createPolicy(options, { sizes: { I, Hi, Ho }, ...rest })
  return createModel({ name: 'test', cell: randomCell(I, Hi, Ho), policy }, await testDeps())
}

function random (...shape: number[]): Tensor {
  return new Tensor(shape, randomArray(shape.reduce((a, b) => a * b), randomNumbers(shape.length)))
}

function rowOf ({ data, shape }: Tensor, row: number): number[] {
  const width = data.length / shape[0]
  return [...data.subarray(row * width, (row + 1) * width)]
}

/** Row 1 of 2, after 3 steps: its h, and what it would read next. */
async function nextOf (options: PolicyOptions, model: PolicySetting, context: unknown = {}): Promise<{ h: number[], next: number[] | undefined }> {
  const answer = await (await modelOf(options, model)).sequence({ x: random(2, 3, model.sizes.I), context })
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

test('identity is h', async () => {
  const { h, next } = await nextOf({ policy: 'identity' }, setting(1, 2, 2))
  assert.deepEqual(next, h)
})

test('repeat is h as often as fills h_in', async () => {
  const { h, next } = await nextOf({ policy: 'repeat' }, setting(1, 6, 2))
  assert.deepEqual(next, [...h, ...h, ...h])
})

test('concat is h and the vector of all, or of the row', async () => {
  const read = async (vectors: unknown) => await nextOf({ policy: 'concat' }, setting(1, 3, 2), { vectors })
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
    c = [...step.c_out.data]
    assertClose(h, [...whole.output.data.subarray((row * 3 + t) * 2, (row * 3 + t + 1) * 2)])
  }
  const unbatched = await model.sequence({ x: new Tensor([3, 1], x.data.slice(3)), context: { vectors: new Tensor([3, 1], vectors.data.slice(3)) } })
  assertClose([...unbatched.h_out.data], h)
})

test('a given h_in takes the place of the first feed alone', async () => {
  const model = await modelOf({ policy: 'concat' }, setting(1, 3, 2))
  const x = random(1, 2, 1)
  const context = { vectors: [7] }
  const given = Float32Array.of(1, 2, 3)
  const whole = await model.sequence({ x, context, h_in: new Tensor([3], given) })
  const first = await model.step({ x: new Tensor([1, 1], x.data.slice(0, 1)), h_in: new Tensor([1, 3], given) })
  assertClose([...whole.output.data.subarray(0, 2)], [...first.h_out.data])
  const second = await model.step({ x: new Tensor([1, 1], x.data.slice(1)), h_in: new Tensor([1, 3], Float32Array.of(...first.h_out.data, 7)), c_in: first.c_out })
  assertClose([...whole.h_out.data], [...second.h_out.data])
})

test('concat takes ragged vectors if they are as long as the rows', async () => {
  const model = await modelOf({ policy: 'concat' }, setting(1, 3, 2))
  const x = new Tensor([2, 3, 1], Float32Array.of(1, 0, 0, 2, 3, 4), [1, 3])
  const { lengths, output } = { lengths: [1, 3], ...await model.sequence({ x, context: { vectors: [[[1]], [[2], [3], [4]]] } }) }
  assert.deepEqual([...output.data.subarray(2, 6)], [0, 0, 0, 0], `row 0 has ${lengths[0]} step`)
  await assert.rejects(model.sequence({ x, context: { vectors: [[[1], [2]], [[2], [3], [4]]] } }), /\/context\/vectors\/0: expected 1 vectors, .*, got 2/)
})

test('vectors that do not fit the request are refused', async () => {
  const model = await modelOf({ policy: 'concat' }, setting(1, 3, 2))
  const x = random(2, 3, 1)
  for (const [vectors, message] of [
    [[1, 2], /expected vectors of 1 numbers \(Hi - Ho\), got 2/],
    [[[1]], /a vector for each of the 2 rows, got 1/],
    [[[[1], [1], [1]]], /vectors for each of the 2 rows, got 1/],
    [[[[1], [1]], [[1], [1]]], /expected 3 vectors per row, one per step, got 2/]
  ] as const) {
    await assert.rejects(model.sequence({ x, context: { vectors } }), message)
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
  await assert.rejects(createPolicy({ policy: 'projection', weight: 'p' }, model), /tensor p: policy projection expects shape \[3, 2\], found \[3\]/)
  await assert.rejects(createPolicy({ policy: 'projection', weight: 'Q' }, model), /tensor Q: is missing/)
})

test('attention reads the support by the softmax of its scores', async () => {
  const support = [[1, 0], [0, 1], [1, 1]]
  const readOf = (h: readonly number[]): number[] => {
    const scores = support.map((s) => Math.exp(s[0] * h[0] + s[1] * h[1]))
    const sum = scores.reduce((a, b) => a + b)
    return [0, 1].map((j) => scores.reduce((total, score, i) => total + score / sum * support[i][j], 0))
  }
  for (const [N, given] of [['[N][D]', support], ['[B][N][D]', [[[9, 9]], support].map((set) => set.length === 3 ? set : support)]] as const) {
    const joined = await nextOf({ policy: 'attention' }, setting(1, 4, 2), { support: given })
    assertClose(joined.next, [...joined.h, ...readOf(joined.h)])
    const summed = await nextOf({ policy: 'attention', combine: 'sum' }, setting(1, 2, 2), { support: given })
    assertClose(summed.next, summed.h.map((value, j) => value + readOf(summed.h)[j]))
    assert.ok(N)
  }
})

test('attention with residual adds x to h', async () => {
  const plain = await modelOf({ policy: 'attention' }, setting(2, 4, 2))
  const residual = await modelOf({ policy: 'attention', residual: true }, setting(2, 4, 2))
  const request = { x: random(1, 1, 2), context: { support: [[1, 0]] } }
  const { h_out: h } = await plain.sequence(request)
  const { h_out: sum, output } = await residual.sequence(request)
  assertClose([...sum.data], [...h.data].map((value, j) => value + request.x.data[j]))
  assert.deepEqual(output.data, sum.data)
})

const MISFITS: ReadonlyArray<[options: PolicyOptions, model: PolicySetting, message: RegExp]> = [
  [{ policy: 'identity' }, setting(1, 3, 2), /identity needs Hi = Ho, this cell has Hi = 3 and Ho = 2/],
  [{ policy: 'repeat' }, setting(1, 3, 2), /repeat needs Hi to be a multiple of Ho/],
  [{ policy: 'concat' }, setting(1, 2, 2), /concat needs Hi > Ho/],
  [{ policy: 'attention' }, setting(1, 3, 2), /combine concat needs Hi = 4 for Ho = 2, this cell has Hi = 3/],
  [{ policy: 'nothing' }, setting(1, 3, 2), /expected one of none, identity, repeat, concat, projection, attention, module, got "nothing"/]
]

for (const [options, model, message] of MISFITS) {
  test(`policy ${options.policy} on a cell that it does not fit says what would`, async () => {
    await assert.rejects(createPolicy(options, model), message)
  })
}

test('every policy refuses options that it does not know', async () => {
  for (const { name } of POLICIES) {
    await assert.rejects(createPolicy({ policy: name, colour: 'red' }, setting(1, 2, 1)), /\/feedback\/(colour: is not a known field|weight: is required)/)
  }
})
