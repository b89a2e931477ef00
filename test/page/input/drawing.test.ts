import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pointsOf, vectorsOf } from '../../../page/src/input/drawing.ts'
import { createRandom, randomIds, randomVectors, randomWalk } from '../../../page/src/input/random.ts'
import { exampleOf, propertiesOf } from '../../../page/src/input/schema.ts'

test('a curve is as long as the pad, and goes on where the pen has not been', () => {
  const curve = vectorsOf([{ x: 0.25, y: 0 }, { x: 0.75, y: 1 }], 1).flat()
  assert.equal(curve.length, 64)
  assert.deepEqual([curve[0], curve[15], curve[16]], [1, 1, 1])
  assert.deepEqual([curve[32], curve[48], curve[63]], [0, -1, -1])
  for (let step = 17; step <= 48; step++) assert.ok(curve[step] < curve[step - 1], String(step))
})

test('a stroke to the left replaces what it passes', () => {
  const curve = vectorsOf([{ x: 0, y: 0.5 }, { x: 0.999, y: 0.5 }, { x: 0.5, y: 0 }], 1).flat()
  assert.deepEqual([curve[0], curve[31], curve[32]], [0, 0, 1])
})

test('a path has its places at equal distances, from where the pen began to where it ended', () => {
  const path = vectorsOf([{ x: 0, y: 0 }, { x: 1, y: 0 }, { x: 1, y: 1 }], 2)
  assert.deepEqual(path, [[-1, 1], [1, 1], [1, -1]])
  const line = vectorsOf(Array.from({ length: 200 }, (_, i) => ({ x: (i / 199) ** 2, y: 0.5 })), 2)
  assert.equal(line.length, 64)
  const steps = line.slice(1).map(([x], i) => x - line[i][0])
  assert.ok(Math.max(...steps) - Math.min(...steps) < 0.005)
  assert.deepEqual(vectorsOf([{ x: 0.5, y: 0.5 }], 2), [[0, 0]])
  assert.deepEqual(vectorsOf([], 2), [])
})

test('what is drawn is shown where it was drawn', () => {
  const [first, , last] = pointsOf([[-1, 1], [0, 0], [5, -5]], 2)
  assert.deepEqual([first, last], [{ x: 0, y: 0 }, { x: 1, y: 1 }])
  assert.deepEqual(pointsOf([[1], [-1]], 1), [{ x: 0.25, y: 0 }, { x: 0.75, y: 1 }])
})

test('random numbers are the same ones for a seed, and others for another', () => {
  const draw = (seed: number) => [randomWalk(createRandom(seed), 50, 3), randomVectors(createRandom(seed), 4, 2), randomIds(createRandom(seed), 100, 7)]
  assert.deepEqual(draw(5), draw(5))
  assert.notDeepEqual(draw(5), draw(6))
  const [walk, vectors, ids] = draw(1)
  assert.deepEqual([walk.length, vectors.length], [50, 4])
  assert.deepEqual([...new Set(ids.flat())].sort(), [0, 1, 2, 3, 4, 5, 6])
  assert.ok(vectors.flat().every((value) => Math.abs(value) <= 1))
  assert.ok(walk.flat().every((value) => Math.abs(value) < 5 && Number.isFinite(value)))
})

test('an example of a schema is what it gives, or the least that it takes', () => {
  const schema = {
    type: 'object',
    required: ['names', 'weight', 'mode', 'on'],
    properties: {
      names: { type: 'array', minItems: 2, items: { type: 'string' } },
      weight: { type: 'number', minimum: 3, description: 'how much' },
      mode: { enum: ['a', 'b'] },
      on: { type: 'boolean', default: true },
      other: { type: 'integer' }
    }
  }
  assert.deepEqual(exampleOf(schema), { names: ['', ''], weight: 3, mode: 'a', on: true })
  assert.deepEqual(exampleOf({ type: ['null', 'string'] }), null)
  assert.deepEqual(propertiesOf(schema)?.map(({ name, required, description }) => [name, required, description]),
    [['names', true, ''], ['weight', true, 'how much'], ['mode', true, ''], ['on', true, ''], ['other', false, '']])
  assert.equal(propertiesOf({ type: 'array' }), undefined)
  assert.equal(propertiesOf(undefined), undefined)
})
