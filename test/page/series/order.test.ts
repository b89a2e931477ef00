import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { range } from '../../../page/src/series/groups.ts'
import { ordered, type Order } from '../../../page/src/series/order.ts'
import { append, createSeries, type Series } from '../../../page/src/series/series.ts'
import { inSlices, type Work } from '../../../page/src/series/slices.ts'
import { createRandom } from '../../support/random.ts'

/** A series of units, each a function of time. */
function seriesOf (steps: number, units: ReadonlyArray<(step: number) => number>): Series {
  const series = createSeries('h', units.length)
  for (let step = 0; step < steps; step++) append(series, units.map((value) => value(step)))
  return series
}

function order (series: Series, by: Order, units = range(0, series.size)): number[] {
  const work = ordered(series, units, by)
  for (;;) {
    const { done, value } = work.next()
    if (done === true) return [...value]
  }
}

function shuffled<T> (items: readonly T[], random: () => number): T[] {
  return items.map((item) => ({ item, key: random() })).sort((a, b) => a.key - b.key).map(({ item }) => item)
}

const wave = (phase: number) => (step: number): number => Math.sin(step / 5 + phase)

describe('units in order', () => {
  test('as they are', () => {
    assert.deepEqual(order(seriesOf(2, [wave(0), wave(1), wave(2)]), 'as they are', Uint32Array.of(2, 0)), [2, 0])
  })

  test('by activity: those that change most first, whatever their mean', () => {
    const series = seriesOf(10, [() => 100, (step) => step, (step) => 50 + step % 2, (step) => -2 * step, () => 0])
    assert.deepEqual(order(series, 'by activity'), [3, 1, 2, 0, 4])
    assert.deepEqual(order(series, 'by activity', Uint32Array.of(0, 2, 1)), [1, 2, 0])
  })

  test('by similarity: those that go together are next to each other, those that never change come last', () => {
    // Three kinds in turn, in different sizes; the fourth is still.
    const kinds = [wave(0), (step: number) => Number(step % 7 < 3), (step: number) => (step * step) % 11, () => 0.25]
    const series = seriesOf(60, Array.from({ length: 20 }, (_, unit) => (step: number) => (1 + unit) * kinds[unit % 4](step) + unit))
    const found = order(series, 'by similarity').map((unit) => unit % 4)
    assert.deepEqual(found.slice(15), [3, 3, 3, 3, 3])
    assert.equal(found.filter((kind, i) => kind !== found[i - 1]).length, 4, String(found))
  })

  test('by similarity: opposites are far apart', () => {
    const series = seriesOf(50, [wave(0), (step) => -wave(0)(step), wave(0.1), (step) => -wave(0.1)(step), wave(1.5)])
    const found = order(series, 'by similarity')
    assert.ok([`${found}`, `${[...found].reverse()}`].some((each) => /^(0,2|2,0),4,(1,3|3,1)$/.test(each)), String(found))
  })

  test('by similarity: a gradient is found again', () => {
    const random = createRandom(3)
    const places = shuffled(Array.from({ length: 60 }, (_, i) => i), random)
    const series = seriesOf(120, places.map((place) => (step: number) => Math.exp(-(((step - 2 * place) / 6) ** 2))))
    const found = order(series, 'by similarity').map((unit) => places[unit])
    // Neighbours differ by one. Those of a tree may be turned the wrong way round in a few places.
    const jumps = found.filter((place, i) => i > 0 && Math.abs(place - found[i - 1]) > 1).length
    assert.ok(jumps <= 12, `${jumps} of 59: ${found}`)
  })

  test('of no units, of one, of two, of no steps', () => {
    const empty = createSeries('h', 3)
    for (const by of ['by activity', 'by similarity'] as const) {
      assert.deepEqual(order(empty, by), [0, 1, 2])
      assert.deepEqual(order(seriesOf(3, [wave(0)]), by), [0])
      assert.deepEqual(order(seriesOf(3, [wave(0), wave(1)]), by).sort(), [0, 1])
      assert.deepEqual(order(seriesOf(3, [wave(0)]), by, Uint32Array.of()), [])
    }
  })

  test('by similarity does each unit once, if all are the same or some are not finite', () => {
    const same = seriesOf(20, Array.from({ length: 30 }, () => wave(1)))
    const broken = seriesOf(20, [wave(0), () => NaN, wave(2), () => Infinity, wave(1)])
    for (const series of [same, broken]) assert.deepEqual(order(series, 'by similarity').sort((a, b) => a - b), [...range(0, series.size)])
  })
})

describe('work in slices', () => {
  function * lasting (turns: number): Work<string> {
    for (let i = 0; i < turns; i++) {
      const until = performance.now() + 1
      while (performance.now() < until);
      yield
    }
    return 'done'
  }

  test('lets others have their turn', async () => {
    let turns = 0
    const timer = setInterval(() => { turns++ }, 1)
    assert.equal(await inSlices(lasting(30), undefined, 2), 'done')
    clearInterval(timer)
    assert.ok(turns >= 5, `${turns} turns`)
  })

  test('ends when it is aborted', async () => {
    const controller = new AbortController()
    const work = inSlices(lasting(1e6), controller.signal, 2)
    controller.abort(new Error('enough'))
    await assert.rejects(work, /^Error: enough$/)
  })
})
