import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { count, createDistribution, quantile } from '../../../page/src/series/distribution.ts'
import { range } from '../../../page/src/series/groups.ts'
import { append, createSeries } from '../../../page/src/series/series.ts'

describe('a distribution', () => {
  test('counts what has come since, of its units alone, and nothing that is not finite', () => {
    const series = createSeries('h', 3)
    const distribution = createDistribution()
    const units = Uint32Array.of(2, 0)
    append(series, [1, 100, -2])
    count(distribution, series, units)
    assert.deepEqual([distribution.count, distribution.least, distribution.greatest], [2, -2, 1])
    append(series, [NaN, -100, 4, Infinity, 7, -8])
    count(distribution, series, units)
    count(distribution, series, units)
    assert.deepEqual([distribution.count, distribution.least, distribution.greatest], [4, -8, 4])
    assert.deepEqual([0, 0.25, 0.26, 0.5, 0.75, 1].map((share) => quantile(distribution, share)), [-8, -8, -2, -2, 1, 4])
  })

  test('of nothing has no quantiles', () => {
    assert.equal(quantile(createDistribution(), 0.5), NaN)
  })

  test('has quantiles that are right to seven bits', () => {
    fc.assert(fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }), fc.double({ min: 0, max: 1, noNaN: true }), (numbers, share) => {
      const series = createSeries('h', 1)
      append(series, numbers)
      const distribution = createDistribution()
      count(distribution, series, range(0, 1))
      const exact = Float32Array.from(numbers).sort()[Math.max(0, Math.ceil(share * numbers.length) - 1)]
      const found = quantile(distribution, share)
      assert.ok(Math.abs(found - exact) <= Math.abs(exact) / 128 + 2 ** -126, `${found} for ${exact}`)
    }))
  })
})
