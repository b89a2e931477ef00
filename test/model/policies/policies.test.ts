import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPolicy, POLICIES, type PolicyOptions } from '../../../src/model/policies/policies.ts'
import type { PolicySetting } from '../../../src/model/policies/policy.ts'
import { Tensor } from '../../../src/tensor/tensor.ts'

function setting (I: number, Hi: number, Ho: number, tensors: Readonly<Record<string, Tensor>> = {}): PolicySetting {
  return {
    sizes: { I, Hi, Ho },
    folder: undefined,
    tensor: (name) => {
      if (!(name in tensors)) throw new Error(`tensor ${name}: is missing`)
      return tensors[name]
    }
  }
}

/** What row 1 of 2 reads at step 1 of 3. */
async function nextOf (options: PolicyOptions, model: PolicySetting, context: unknown = {}): Promise<number[]> {
  const { Hi, Ho } = model.sizes
  const { policy } = await createPolicy(options, model)
  const feedback = policy.bind(context, { rows: 2, steps: 3, lengths: [3, 3], batched: true })
  const h = Float32Array.from({ length: 2 * Ho }, (_, i) => i + 1)
  const hIn = new Float32Array(2 * Hi)
  feedback.next(1, 1, h, Ho, hIn, Hi)
  assert.ok(hIn.subarray(0, Hi).every((value) => value === 0), 'the other row is untouched')
  return [...hIn.subarray(Hi)]
}

test('without a policy it is identity if Hi = Ho, otherwise none', async () => {
  assert.equal((await createPolicy(undefined, setting(1, 2, 2))).name, 'identity')
  const { name, policy } = await createPolicy(undefined, setting(1, 3, 2))
  assert.equal(name, 'none')
  assert.equal(policy.bind({}, { rows: 1, steps: 1, lengths: [1], batched: false }).knows(0), false)
})

test('identity is h', async () => {
  assert.deepEqual(await nextOf({ policy: 'identity' }, setting(1, 2, 2)), [3, 4])
})

test('repeat is h as often as fills h_in', async () => {
  assert.deepEqual(await nextOf({ policy: 'repeat' }, setting(1, 6, 2)), [3, 4, 3, 4, 3, 4])
})

test('concat is h and the vector of all, of the row, or of the row and step', async () => {
  const read = async (vectors: unknown) => await nextOf({ policy: 'concat' }, setting(1, 3, 2), { vectors })
  assert.deepEqual(await read([7]), [3, 4, 7])
  assert.deepEqual(await read([[7], [8]]), [3, 4, 8])
  assert.deepEqual(await read([[[1], [2], [3]], [[4], [5], [6]]]), [3, 4, 5])
})

test('concat without a batch dimension takes a vector a step', async () => {
  const { policy } = await createPolicy({ policy: 'concat' }, setting(1, 3, 2))
  const feedback = policy.bind({ vectors: [[1], [2], [3]] }, { rows: 1, steps: 3, lengths: [3], batched: false })
  const hIn = new Float32Array(3)
  feedback.next(0, 2, Float32Array.of(8, 9), 0, hIn, 0)
  assert.deepEqual([...hIn], [8, 9, 3])
  assert.equal(feedback.knows(2), true)
  assert.equal(feedback.knows(3), false, 'only the client knows the vector after the last')
})

test('concat takes ragged vectors if they are as long as the rows', async () => {
  const { policy } = await createPolicy({ policy: 'concat' }, setting(1, 3, 2))
  const shape = { rows: 2, steps: 3, lengths: [1, 3], batched: true }
  const hIn = new Float32Array(6)
  policy.bind({ vectors: [[[1]], [[2], [3], [4]]] }, shape).next(1, 2, new Float32Array(4), 2, hIn, 3)
  assert.deepEqual([...hIn], [0, 0, 0, 0, 0, 4])
  assert.throws(() => policy.bind({ vectors: [[[1], [2]], [[2], [3], [4]]] }, shape), /\/context\/vectors\/0: expected 1 vectors, .*, got 2/)
})

test('vectors that do not fit the request are refused', async () => {
  const { policy } = await createPolicy({ policy: 'concat' }, setting(1, 3, 2))
  const shape = { rows: 2, steps: 3, lengths: [3, 3], batched: true }
  for (const [vectors, message] of [
    [[1, 2], /expected vectors of 1 numbers \(Hi - Ho\), got 2/],
    [[[1]], /a vector for each of the 2 rows, got 1/],
    [[[[1], [1], [1]]], /vectors for each of the 2 rows, got 1/],
    [[[[1], [1]], [[1], [1]]], /expected 3 vectors a row, one a step, got 2/]
  ] as const) {
    assert.throws(() => policy.bind({ vectors }, shape), message)
  }
  assert.throws(() => policy.bind({}, shape), /\/context\/vectors: is required/)
})

test('projection is P h + p, of the model\'s tensors', async () => {
  const model = setting(1, 3, 2, {
    P: new Tensor([3, 2], Float32Array.of(1, 0, 0, 1, 1, 1)),
    p: new Tensor([3], Float32Array.of(0, 0, 0.5))
  })
  assert.deepEqual(await nextOf({ policy: 'projection', weight: 'P' }, model), [3, 4, 7])
  assert.deepEqual(await nextOf({ policy: 'projection', weight: 'P', bias: 'p' }, model), [3, 4, 7.5])
  await assert.rejects(createPolicy({ policy: 'projection', weight: 'p' }, model), /tensor p: policy projection expects shape \[3, 2\], found \[3\]/)
  await assert.rejects(createPolicy({ policy: 'projection', weight: 'Q' }, model), /tensor Q: is missing/)
})

test('attention reads the support by the softmax of its scores', async () => {
  const support = [[1, 0], [0, 1], [1, 1]]
  const h = [3, 4]
  const scores = support.map((s) => Math.exp(s[0] * h[0] + s[1] * h[1]))
  const sum = scores.reduce((a, b) => a + b)
  const r = [0, 1].map((j) => scores.reduce((total, score, i) => total + score / sum * support[i][j], 0))
  const close = (actual: number[], expected: number[]) => actual.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) < 1e-6))
  close(await nextOf({ policy: 'attention' }, setting(1, 4, 2), { support }), [...h, ...r])
  close(await nextOf({ policy: 'attention', combine: 'sum' }, setting(1, 2, 2), { support }), h.map((v, j) => v + r[j]))
})

test('attention with residual adds x to h', async () => {
  const { policy } = await createPolicy({ policy: 'attention', residual: true }, setting(2, 4, 2))
  const feedback = policy.bind({ support: [[1, 0]] }, { rows: 1, steps: 1, lengths: [1], batched: false })
  const h = Float32Array.of(0, 1, 2)
  feedback.adjust?.(Float32Array.of(9, 10, 20), 1, h, 1)
  assert.deepEqual([...h], [0, 11, 22])
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
