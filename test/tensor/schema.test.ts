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

test('a valid value comes back with its tensors flattened', () => {
  assert.deepEqual(validate({ x: [[1, 2]], mode: 'fast' }, ''), { x: new Tensor([1, 2], Float32Array.of(1, 2)), mode: 'fast' })
})

test('a tensor that is flat already is taken as it is', () => {
  const x = new Tensor([1], Float32Array.of(1))
  assert.equal(validate({ x }, '').x, x)
})

for (const [name, value, path, message] of [
  ['an unknown field', { x: [1], y: 1 }, '/y', 'is not a known field'],
  ['a key of the prototype', JSON.parse('{"x": [1], "__proto__": 1}'), '/__proto__', 'is not a known field'],
  ['a missing field', {}, '/x', 'is required'],
  ['another type', [], '', 'must be object, got an array'],
  ['nothing at all', undefined, '', 'must be object, got nothing'],
  ['a value that is not listed', { x: [1], mode: 'odd' }, '/mode', 'expected one of fast, slow, got the string "odd"'],
  ['a tensor\'s fault', { x: [1, 'a'] }, '/x/1', 'expected a number, got the string "a"'],
  ['a name that needs escapes', { x: [1], 'a/b~c': 0 }, '/a~1b~0c', 'must be >= 1, got 0'],
  ['an unknown name that needs escapes', { x: [1], 'p/q~r/~': 0 }, '/p~1q~0r~1~0', 'is not a known field']
] as const) {
  test(`${name} is named by its pointer, and what came`, () => {
    for (const prefix of ['', '/context']) {
      assert.throws(() => validate(value, prefix), { name: 'InputError', kind: 'malformed', errors: [{ path: prefix + path, message }] })
    }
  })
}

test('the published schema is plain JSON Schema', () => {
  const numbers = { type: 'array', items: { type: 'number' }, minItems: 1 }
  assert.deepEqual(publish(TensorSchema({ ranks: [1] }, { description: 'A vector.' })), { ...numbers, description: 'A vector.' })
  assert.deepEqual(publish(Type.Object({ x: TensorSchema({ ranks: [1, 2] }, {}) })), {
    type: 'object',
    required: ['x'],
    properties: { x: { anyOf: [numbers, { type: 'array', items: numbers, minItems: 1 }] } }
  })
})

test('what an example holds is no schema', () => {
  assert.deepEqual(publish({ type: 'object', examples: [{ tensor: 1 }] }), { type: 'object', examples: [{ tensor: 1 }] })
})
