import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { drag, factorOf, moved, pinch, revealed, zoomAt } from '../../../page/src/plots/gestures.ts'
import { pan, reveal, whole, zoom } from '../../../page/src/plots/span.ts'
import { roundUp, ticks } from '../../../page/src/plots/ticks.ts'

describe('ticks', () => {
  test('are round, and no more than asked for', () => {
    assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1])
    assert.deepEqual(ticks(-1, 1, 4), [-1, -0.5, 0, 0.5, 1])
    assert.deepEqual(ticks(0, 1999, 10), [0, 200, 400, 600, 800, 1000, 1200, 1400, 1600, 1800])
    assert.deepEqual(ticks(0.7, 3.2, 10, 1), [1, 2, 3])
    assert.deepEqual([ticks(1, 1, 5), ticks(0, NaN, 5), ticks(0, 1, 0)], [[], [], []])
  })

  test('lie in their bounds at whole steps', () => {
    fc.assert(fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.double({ min: 1e-3, max: 1e6, noNaN: true }), fc.integer({ min: 1, max: 30 }), (from, width, most) => {
      const found = ticks(from, from + width, most)
      assert.ok(found.length <= most + 1)
      for (const value of found) assert.ok(value >= from - width * 1e-6 && value <= from + width * (1 + 1e-6))
    }))
  })

  test('roundUp', () => {
    assert.deepEqual([0.97, 1, 1.01, 0.03, 120].map((value) => roundUp(value, [1, 2, 5, 10])), [1, 1, 2, 0.05, 200])
  })
})

describe('a span', () => {
  test('zooms around a place that stays where it is', () => {
    assert.deepEqual(zoom({ from: 0, to: 100 }, 25, 0.5, 100), { from: 12.5, to: 62.5 })
    assert.deepEqual(zoom({ from: 0, to: 100 }, 0, 0.001, 100), { from: 0, to: 4 })
    assert.deepEqual(zoom({ from: 10, to: 20 }, 15, 100, 100), { from: 0, to: 100 })
    assert.deepEqual(zoom(whole(2), 1, 0.5, 2), { from: 0, to: 2 })
  })

  test('is moved within its axis, and as little as it takes to show a cell', () => {
    assert.deepEqual(pan({ from: 10, to: 20 }, -15, 100), { from: 0, to: 10 })
    assert.deepEqual(pan({ from: 10, to: 20 }, 1000, 100), { from: 90, to: 100 })
    assert.deepEqual([5, 15, 20, 99].map((cell) => reveal({ from: 10, to: 20 }, cell, 100).from), [5, 10, 11, 90])
  })

  test('never leaves its axis', () => {
    const step = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0.1, max: 10, noNaN: true }))
    fc.assert(fc.property(fc.integer({ min: 1, max: 3000 }), fc.array(step), (cells, steps) => {
      let span = whole(cells)
      for (const [share, factor] of steps) {
        span = pan(zoom(span, span.from + share * (span.to - span.from), factor, cells), (share - 0.5) * cells, cells)
        assert.ok(span.from >= 0 && span.to <= cells * (1 + 1e-12) && span.to - span.from >= Math.min(4, cells) * (1 - 1e-9))
      }
    }))
  })
})

describe('gestures', () => {
  const box = { left: 50, top: 20, width: 200, height: 100 }
  const size = { steps: 100, units: 10 }
  const all = { time: whole(100), units: whole(10) }

  test('the wheel zooms both axes or one', () => {
    const middle = { x: 150, y: 70 }
    assert.deepEqual(zoomAt(all, box, middle, 0.5, size), { time: { from: 25, to: 75 }, units: { from: 2.5, to: 7.5 } })
    assert.deepEqual(zoomAt(all, box, middle, 0.5, size, 'time'), { time: { from: 25, to: 75 }, units: whole(10) })
    assert.deepEqual(zoomAt(all, box, middle, 0.5, size, 'units'), { time: whole(100), units: { from: 2.5, to: 7.5 } })
    const turned = { deltaX: 0, deltaY: 0, deltaMode: 0, shiftKey: false }
    assert.deepEqual([turned, { ...turned, deltaY: 1e9, deltaMode: 1 }, { ...turned, deltaX: 9 }, { ...turned, deltaX: 1e9, shiftKey: true }].map(factorOf), [1, Math.E, 1, Math.E])
    assert.ok(factorOf({ ...turned, deltaY: -100 }) < 1)
  })

  test('a drag takes cells along with the pointer', () => {
    const closer = { time: { from: 20, to: 40 }, units: { from: 2, to: 7 } }
    assert.deepEqual(drag(closer, box, { x: 100, y: 50 }, { x: 150, y: 30 }, size), { time: { from: 15, to: 35 }, units: { from: 3, to: 8 } })
  })

  test('two fingers keep what is between them between them', () => {
    // They move apart to twice their distance, around a middle that moves from 150 to 160.
    const found = pinch({ time: { from: 20, to: 40 }, units: whole(10) }, box, [{ x: 140, y: 70 }, { x: 160, y: 70 }], [{ x: 140, y: 70 }, { x: 180, y: 70 }], size)
    assert.deepEqual(found.time, { from: 24.5, to: 34.5 })
  })

  test('keys move the cursor to the edges and no further, and take the view along', () => {
    const view = { time: { from: 20, to: 40 }, units: whole(10) }
    const cell = { row: 0, step: 39 }
    const places = ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'PageUp', 'PageDown', 'Home', 'End', 'a'].map((key) => moved(cell, key, view, size))
    assert.deepEqual(places.map((place) => place && [place.row, place.step]), [[0, 39], [1, 39], [0, 38], [0, 40], [0, 37], [0, 41], [0, 0], [0, 99], undefined])
    assert.deepEqual(revealed(view, { row: 3, step: 41 }, size).time, { from: 22, to: 42 })
  })
})
