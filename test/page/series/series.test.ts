import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { difference } from '../../../page/src/series/difference.ts'
import { groupsOf } from '../../../page/src/series/groups.ts'
import { GATES, stackLabels } from '../../../page/src/series/labels.ts'
import { shortest } from '../../../page/src/series/numbers.ts'
import { append, createSeries, labelOf, valueAt } from '../../../page/src/series/series.ts'

describe('a series', () => {
  test('keeps what is added, however much at a time, and says how long it is', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 7 }), fc.array(fc.integer({ min: 0, max: 40 })), (size, pieces) => {
      const series = createSeries('h', size)
      const lengths: number[] = []
      series.length.subscribe((length) => { lengths.push(length) })
      const all: number[] = []
      for (const steps of pieces) {
        const numbers = Array.from({ length: steps * size }, (_, i) => all.length + i)
        append(series, steps % 2 === 0 ? numbers : Float32Array.from(numbers))
        all.push(...numbers)
      }
      assert.equal(series.steps, all.length / size)
      assert.deepEqual([...series.values.subarray(0, all.length)], all)
      assert.equal(lengths.at(-1), series.steps)
    }))
  })

  test('takes whole steps alone', () => {
    const series = createSeries('h', 3)
    assert.throws(() => { append(series, [1, 2, 3, 4]) }, new RangeError('h: 4 numbers are not whole steps of 3'))
    assert.equal(series.steps, 0)
  })

  test('has no value beside its cells', () => {
    const series = createSeries('h', 2, ['left', 'right'])
    append(series, [1, 2, 3, 4])
    assert.deepEqual([valueAt(series, 1, 1), valueAt(series, 2, 0), valueAt(series, 0, 2), valueAt(series, -1, 1)], [4, undefined, undefined, undefined])
    assert.deepEqual([labelOf(series, 1), labelOf(createSeries('h', 2), 1), labelOf(createSeries('y', 1), 0)], ['right', 'h 1', 'y'])
  })
})

test('a number is written with as few digits as tell it from every other float32', () => {
  assert.deepEqual([0, 1, -0.5, Math.fround(0.1), Math.fround(-0.14725989), Math.fround(1e-7), Math.fround(3.4e38), Math.fround(1 / 3), NaN].map(shortest),
    ['0', '1', '-0.5', '0.1', '-0.14725989', '1e-7', '3.4e+38', '0.33333334', 'NaN'])
  fc.assert(fc.property(fc.float({ noNaN: true }), (value) => {
    assert.equal(Math.fround(Number(shortest(value))), value === 0 ? 0 : value)
    assert.ok(shortest(value).replaceAll(/e.*|[-.]/g, '').replaceAll(/^0+|0+$/g, '').length <= 9, shortest(value))
  }))
})

describe('groups of units', () => {
  const named = (labels: readonly string[]) => groupsOf(createSeries('x', labels.length, labels)).map(({ name, units }) => [name, units[0], units.length])

  test('are those of a layer, a direction, a gate', () => {
    assert.deepEqual(named(stackLabels({ layers: 1, directions: 1, width: 3 }, GATES.lstm)), [['i', 0, 3], ['f', 3, 3], ['g', 6, 3], ['o', 9, 3]])
    assert.deepEqual(named(stackLabels({ layers: 2, directions: 2, width: 2 }, ['h'])),
      [['layer 0 forward h', 0, 2], ['layer 0 backward h', 2, 2], ['layer 1 forward h', 4, 2], ['layer 1 backward h', 6, 2]])
    assert.deepEqual(named(stackLabels({ layers: 2, directions: 1, width: 1 }, GATES.gru)),
      [['layer 0 r', 0, 1], ['layer 0 z', 1, 1], ['layer 0 n', 2, 1], ['layer 1 r', 3, 1], ['layer 1 z', 4, 1], ['layer 1 n', 5, 1]])
  })

  test('are one without labels', () => {
    assert.deepEqual(groupsOf(createSeries('output', 3)), [{ name: 'output', units: Uint32Array.of(0, 1, 2) }])
  })
})

describe('the difference of two runs', () => {
  const series = (name: string, size: number, numbers: readonly number[]) => {
    const made = createSeries(name, size)
    append(made, numbers)
    return made
  }

  test('is taken value by value', () => {
    const { series: result, note } = difference(series('h', 2, [1, 2, 3, 4]), series('h', 2, [0.5, 4, 3, 1]))
    assert.deepEqual([result?.name, result?.steps, [...result?.values.subarray(0, 4) ?? []], note], ['h', 2, [0.5, -2, 0, 3], undefined])
  })

  test('has the steps that both have, and says so', () => {
    const { series: result, note } = difference(series('h', 1, [1, 2, 3]), series('h', 1, [1, 1]))
    assert.deepEqual([...result?.values.subarray(0, result.steps) ?? []], [0, 1])
    assert.equal(note, 'The first 2 steps: this run has 3, the earlier one 2.')
  })

  test('is none of other units, and says why', () => {
    assert.deepEqual(difference(series('h', 2, [1, 2]), series('h', 3, [1, 2, 3])), { note: 'The runs cannot be compared: h has 2 units here and 3 in the earlier run.' })
    assert.deepEqual(difference(series('h', 2, [1, 2]), undefined), { note: 'The earlier run has no h.' })
  })
})
