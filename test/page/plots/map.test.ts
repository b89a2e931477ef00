import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { colourTable, css, SHADES, type Theme } from '../../../page/src/plots/colours.ts'
import { points, roundBounds } from '../../../page/src/plots/lines.ts'
import { scaleOf, type Scale } from '../../../page/src/plots/scale.ts'
import { levelFor, paintTile, TILE } from '../../../page/src/plots/tile.ts'
import { count, createDistribution } from '../../../page/src/series/distribution.ts'
import { range } from '../../../page/src/series/groups.ts'
import { append, createSeries, type Series } from '../../../page/src/series/series.ts'

function seriesOf (size: number, numbers: readonly number[]): Series {
  const series = createSeries('h', size)
  append(series, numbers)
  return series
}

describe('the scale of colours', () => {
  const scale = (numbers: readonly number[], kind: 'robust' | 'full'): Scale => {
    const distribution = createDistribution()
    count(distribution, seriesOf(1, numbers), range(0, 1))
    return scaleOf(distribution, kind)
  }
  const many = (...numbers: readonly number[]): number[] => Array.from({ length: 500 }, (_, i) => numbers[i % numbers.length])

  test('is symmetric around zero if a value is negative', () => {
    assert.deepEqual(scale([-0.1, 0.93], 'full'), { kind: 'diverging', low: -1, high: 1 })
    assert.deepEqual(scale([-0.1, -0.11], 'full'), { kind: 'diverging', low: -0.12, high: 0.12 })
  })

  test('is from zero up if none is, or if robust from where the values are', () => {
    assert.deepEqual(scale(many(0.25, 0.5), 'full'), { kind: 'sequential', low: 0, high: 0.5 })
    assert.deepEqual(scale(many(0.75, 0.875), 'robust'), { kind: 'sequential', low: 0.74, high: 0.88 })
  })

  test('leaves out one in a hundred at each end, if it is robust', () => {
    const outlier = [1000, ...many(-0.5, 0.25)]
    assert.deepEqual(scale(outlier, 'robust'), { kind: 'diverging', low: -0.5, high: 0.5 })
    assert.deepEqual(scale(outlier, 'full'), { kind: 'diverging', low: -1000, high: 1000 })
  })

  test('is something for nothing, zeros, and one value', () => {
    assert.deepEqual([scale([], 'robust'), scale([0, 0], 'full'), scale([0, 0], 'robust'), scale([3], 'robust')].map(({ low, high }) => [low, high]), [[0, 1], [0, 1], [0, 1], [0, 3]])
    // All but a lone negative are zero.
    assert.deepEqual(scale([-4, ...many(0)], 'robust'), { kind: 'diverging', low: -4, high: 4 })
  })
})

describe('the colours', () => {
  const channels = (pixel: number): number[] => [pixel & 255, (pixel >>> 8) & 255, (pixel >>> 16) & 255]
  const linear = (value: number): number => value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4
  /** CIE lightness. */
  const lightness = (pixel: number): number => {
    const [red, green, blue] = channels(pixel).map(linear)
    const y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y
  }
  /** What people without green-sensitive, or red-sensitive, cones see: Vienot, Brettel and Mollon, 1999. */
  const seen = (pixel: number, kind: 'deutan' | 'protan'): number[] => {
    const [red, green, blue] = channels(pixel).map(linear)
    const share = kind === 'deutan' ? [0.29275, 0.70725] : [0.11238, 0.88762]
    const both = share[0] * red + share[1] * green
    return [both, both, kind === 'deutan' ? -0.02234 * (red - green) + blue : 0.00401 * (red - green) + blue]
  }

  test('of the sequential map grow lighter with every shade', () => {
    const table = [...colourTable('sequential', 'light')].map(lightness)
    assert.equal(table.length, SHADES)
    assert.ok(table.every((value, i) => i === 0 || value > table[i - 1] - 0.2))
    assert.ok(table[SHADES - 1] - table[0] > 70)
  })

  for (const theme of ['light', 'dark'] as const satisfies readonly Theme[]) {
    test(`of the diverging map, ${theme}: no colour at zero, and both sides alike in lightness and apart in hue, for the colour-blind too`, () => {
      const table = [...colourTable('diverging', theme)]
      const [red, green, blue] = channels(table[(SHADES - 1) / 2])
      assert.ok(Math.max(red, green, blue) - Math.min(red, green, blue) <= 2, css(table[127]))
      const towards = theme === 'light' ? -1 : 1
      for (let i = 1; i <= 127; i++) {
        for (const side of [-1, 1]) {
          assert.ok((lightness(table[127 + side * i]) - lightness(table[127 + side * (i - 1)])) * towards > -0.2, `${side * i}: ${css(table[127 + side * i])}`)
        }
        assert.ok(Math.abs(lightness(table[127 + i]) - lightness(table[127 - i])) < 14)
      }
      for (const i of [40, 80, 127]) {
        for (const kind of ['deutan', 'protan'] as const) {
          const [a, , a3] = seen(table[127 - i], kind)
          const [b, , b3] = seen(table[127 + i], kind)
          // Blue against yellow is what they tell apart.
          assert.ok((a3 - a) - (b3 - b) > 0.12, `${kind} ${i}: ${css(table[127 - i])} and ${css(table[127 + i])}`)
        }
      }
    })
  }
})

describe('a tile', () => {
  const scale: Scale = { kind: 'diverging', low: -1, high: 1 }
  const colours = Uint32Array.from({ length: SHADES }, (_, i) => 1000 + i)
  const paint = (series: Series, rows: Uint32Array, place = { column: 0, row: 0, stepLevel: 0, unitLevel: 0 }) => {
    const pixels = new Uint32Array(TILE * TILE)
    const extent = paintTile(pixels, { series, rows, scale, colours }, place)
    return { ...extent, pixels: Array.from({ length: extent.height }, (_, y) => [...pixels.subarray(y * TILE, y * TILE + extent.width)].map((pixel) => pixel === 0 ? undefined : pixel - 1000)) }
  }

  test('has a pixel per cell: units from top to bottom in their order, time to the right', () => {
    const series = seriesOf(3, [-1, 0, 1, -0.5, 0.5, 2])
    assert.deepEqual(paint(series, Uint32Array.of(2, 0)), { width: 2, height: 2, pixels: [[254, 254], [0, 64]] })
    assert.deepEqual(paint(series, Uint32Array.of(1)).pixels, [[127, 191]])
  })

  test('leaves clear what is not a number, and has infinities at the ends', () => {
    assert.deepEqual(paint(seriesOf(1, [NaN, Infinity, -Infinity, 0]), range(0, 1)).pixels, [[undefined, 254, 0, 127]])
  })

  test('shows of several cells the one farthest from zero', () => {
    const series = seriesOf(2, [0, 0.5, 0, -1, 0.25, 0, 0.5, 0, -0.5, 0.25])
    assert.deepEqual(paint(series, range(0, 2), { column: 0, row: 0, stepLevel: 1, unitLevel: 0 }).pixels, [[127, 191, 64], [0, 127, 159]])
    assert.deepEqual(paint(series, range(0, 2), { column: 0, row: 0, stepLevel: 1, unitLevel: 1 }).pixels, [[0, 191, 64]])
    assert.deepEqual(paint(series, range(0, 2), { column: 0, row: 0, stepLevel: 3, unitLevel: 0 }).pixels, [[191], [0]])
  })

  test('any tile has the shade of the strongest of its cells', () => {
    const number = fc.integer({ min: -127, max: 127 }).map((value) => value / 127)
    fc.assert(fc.property(fc.integer({ min: 1, max: 9 }), fc.array(number, { minLength: 9, maxLength: 90 }), fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 4 }), (size, all, stepLevel, unitLevel) => {
      const numbers = all.slice(0, all.length - all.length % size)
      const series = seriesOf(size, numbers)
      const { width, height, pixels } = paint(series, range(0, size), { column: 0, row: 0, stepLevel, unitLevel })
      assert.deepEqual([width, height], [Math.ceil(series.steps / 2 ** stepLevel), Math.ceil(size / 2 ** unitLevel)])
      pixels.forEach((line, y) => {
        line.forEach((shade, x) => {
          const cells = numbers.filter((_, i) => Math.floor(i / size) >> stepLevel === x && (i % size) >> unitLevel === y)
          assert.equal(Math.abs((shade ?? NaN) - 127), Math.max(...cells.map((value) => Math.round(Math.abs(value) * 127))))
        })
      })
    }))
  })

  test('beyond the first has the cells of its place, up to the end', () => {
    const steps = TILE + 3
    const series = seriesOf(1, Array.from({ length: steps }, (_, step) => step < TILE ? 0 : (step - TILE + 1) / 4))
    assert.deepEqual(paint(series, range(0, 1), { column: 1, row: 0, stepLevel: 0, unitLevel: 0 }), { width: 3, height: 1, pixels: [[159, 191, 222]] })
    assert.deepEqual(paint(series, range(0, 1), { column: 2, row: 0, stepLevel: 0, unitLevel: 0 }), { width: 0, height: 1, pixels: [[]] })
  })

  test('puts so many cells on a pixel that none is skipped, and no more', () => {
    assert.deepEqual([[1, 100], [100, 100], [101, 100], [200, 100], [201, 100], [2000, 500]].map(([cells, pixels]) => levelFor(cells, pixels)), [0, 0, 1, 1, 2, 2])
  })
})

describe('a line', () => {
  test('has each step if there is room, and one more on both sides', () => {
    assert.deepEqual(points(seriesOf(1, [5, 6, 7, 8, 9, 10]), 0, { from: 2.5, to: 3.5 }, 100).map(({ step, value }) => [step, value]), [[1, 6], [2, 7], [3, 8], [4, 9]])
  })

  test('has the least and the greatest of the steps that share a pixel, so that no spike is lost', () => {
    const numbers = [0, 9, 1, 0, 0, 0, -5, 0]
    assert.deepEqual(points(seriesOf(1, numbers), 0, { from: 0, to: 8 }, 2).map(({ step, value }) => [step, value]), [[0, 0], [1, 9], [4, 0], [6, -5]])
  })

  test('lies between round numbers', () => {
    assert.deepEqual([roundBounds(-0.37, 0.92), roundBounds(1, 1), roundBounds(0, 0), roundBounds(Infinity, -Infinity)],
      [{ low: -0.4, high: 1 }, { low: 0.4, high: 1.6 }, { low: -0.6, high: 0.6 }, { low: 0, high: 1 }])
  })
})
