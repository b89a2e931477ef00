import assert from 'node:assert/strict'
import { test } from 'node:test'
import Type from 'typebox'
import { compile, publish, TensorSchema } from '../../src/tensor/schema.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

const Body = Type.Object({
  x: TensorSchema({ ranks: [1, 2] }, { description: 'The input.' }),
  mode: Type.Optional(Type.Enum(['fast', 'slow'])),
  'a/b~c': Type.Optional(Type.Integer({ minimum: 1 }))
}, { additionalProperties: false })

const validate = compile(Body)

const x = new Tensor([1], Float32Array.of(1))

test('a valid value comes back as it is', () => {
  const value = { x, mode: 'fast' }
  assert.equal(validate(value, ''), value)
})

test('a tensor may be one of several things', () => {
  const either = compile(Type.Object({ a: Type.Union([TensorSchema({ ranks: [1] }, {}), Type.Object({ b: TensorSchema({ ranks: [2] }, {}) })]) }))
  either({ a: x }, '')
  either({ a: { b: new Tensor([1, 1], Float32Array.of(1)) } }, '')
  assert.throws(() => either({ a: { b: x } }, ''), { name: 'InputError', kind: 'malformed' })
})

test('a tensor that is well-formed but ragged is unprocessable', () => {
  const ragged = new Tensor([2, 2, 1], Float32Array.of(1, 2, 3), Uint32Array.of(1, 2))
  const cube = compile(Type.Object({ x: TensorSchema({ ranks: [3] }, {}) }))
  assert.throws(() => cube({ x: ragged }, '/context'), { kind: 'unprocessable', errors: [{ path: '/context/x/1', message: 'ragged: has 2 entries, but the first has 1' }] })
})

for (const [name, value, path, message] of [
  ['an unknown field', { x, y: 1 }, '/y', 'is not a known field'],
  ['a key of the prototype', Object.assign(JSON.parse('{"__proto__": 1}'), { x }), '/__proto__', 'is not a known field'],
  ['a missing field', {}, '/x', 'is required'],
  ['another type', [], '', 'must be object, got an array'],
  ['nothing at all', undefined, '', 'must be object, got nothing'],
  ['a value that is not listed', { x, mode: 'odd' }, '/mode', 'expected one of fast, slow, got the string "odd"'],
  ['a tensor of another rank', { x: new Tensor([1, 1, 1], Float32Array.of(1)) }, '/x', 'expected an array of numbers or an array of arrays of numbers, got arrays nested 3 deep'],
  ['no tensor', { x: 'a' }, '/x', 'expected an array of numbers or an array of arrays of numbers, got the string "a"'],
  ['a name that needs escapes', { x, 'a/b~c': 0 }, '/a~1b~0c', 'must be >= 1, got 0'],
  ['an unknown name that needs escapes', { x, 'p/q~r/~': 0 }, '/p~1q~0r~1~0', 'is not a known field']
] as const) {
  test(`${name} is named by its pointer, and what came`, () => {
    for (const prefix of ['', '/context']) {
      assert.throws(() => validate(value, prefix), { name: 'InputError', kind: 'malformed', errors: [{ path: prefix + path, message }] })
    }
  })
}

test('the published schema is plain JSON Schema', () => {
  const numbers = { type: 'array', items: { type: 'number', format: 'float' }, minItems: 1 }
  assert.deepEqual(publish(TensorSchema({ ranks: [1] }, { description: 'A vector.' })), { ...numbers, description: 'A vector.' })
  assert.deepEqual(publish(Type.Object({ x: TensorSchema({ ranks: [1, 2] }, {}) })), {
    type: 'object',
    required: ['x'],
    properties: { x: { type: 'array', items: numbers, minItems: 1 } }
  })
})

test('what an example holds is no schema', () => {
  assert.deepEqual(publish({ type: 'object', examples: [{ tensor: 1 }] }), { type: 'object', examples: [{ tensor: 1 }] })
})
