import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Batch } from '../../src/engine/engine.ts'
import { createNativeEngine, nativeKernels } from '../../src/engine/native.ts'
import { createCell } from '../../src/network/cell.ts'
import { createRandom, randomBatch, randomCell, referenceStep, withoutAddon } from '../support/cells.ts'

describe('the native kernel', { skip: withoutAddon }, () => {
  it('agrees with double precision for thousands of shapes, and touches nothing past its rows', async () => {
    const random = createRandom(20)
    const upTo = (most: number): number => 1 + Math.floor(random() ** 2 * most)
    const engines = nativeKernels().map((isa) => createNativeEngine({ isa, threads: 2, inlineBelow: 8000 }))
    for (let n = 0; n < 3000; n++) {
      const sizes = { I: upTo(70), Hi: upTo(70), Ho: upTo(40) }
      const rows = upTo(20)
      const cell = randomCell(sizes, random)
      const batch = randomBatch(sizes, rows, random)
      const size = rows * sizes.Ho
      // Outputs in the middle of memory that must not change.
      const guarded = new Float32Array(2 * size + 48).fill(7)
      const hOut = guarded.subarray(16, 16 + size)
      const cOut = guarded.subarray(32 + size, 32 + 2 * size)
      const stepper = engines[n % engines.length].load(cell)
      await stepper.step({ ...batch, hOut, cOut })
      stepper.dispose()
      const { h, c } = referenceStep(cell, batch)
      for (let i = 0; i < size; i++) {
        if (!(Math.abs(hOut[i] - h[i]) < 2e-6 && Math.abs(cOut[i] - c[i]) < 2e-6)) {
          assert.fail(`${JSON.stringify({ n, ...sizes, rows, i })}: h ${hOut[i]} for ${h[i]}, c ${cOut[i]} for ${c[i]}`)
        }
      }
      for (const [from, to] of [[0, 16], [16 + size, 32 + size], [32 + 2 * size, 48 + 2 * size]]) {
        assert.ok(guarded.subarray(from, to).every((v) => v === 7), JSON.stringify({ n, ...sizes, rows }))
      }
    }
  })

  describe('at the ends of the float range', () => {
    /** A cell with one unit whose gates are x itself, stepped from c = `c`. */
    async function gates (isa: string, i: number, f: number, g: number, o: number, c: number): Promise<[number, number]> {
      const cell = createCell({
        sizes: { I: 4, Hi: 1, Ho: 1 },
        weightIh: Float32Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1),
        weightHh: new Float32Array(4),
        biasIh: new Float32Array(4),
        biasHh: new Float32Array(4)
      })
      const batch: Batch = {
        rows: 1,
        x: Float32Array.of(i, f, g, o),
        hIn: new Float32Array(1),
        cIn: Float32Array.of(c),
        hOut: new Float32Array(1),
        cOut: new Float32Array(1)
      }
      await createNativeEngine({ isa, threads: 1, inlineBelow: Infinity }).load(cell).step(batch)
      return [batch.hOut[0], batch.cOut[0]]
    }
    const denormal = 2 ** -140

    for (const isa of withoutAddon === false ? nativeKernels() : []) {
      it(`is right on ${isa}`, async () => {
        const big = 3e38
        assert.deepEqual(await gates(isa, 0, 0, 0, 0, 0), [0, 0])
        const [h, c] = await gates(isa, big, -big, big, big, 5)
        assert.equal(c, 1, 'gates open and closed')
        assert.ok(Math.abs(h - Math.tanh(1)) < 1e-7)
        assert.deepEqual(await gates(isa, big, big, -big, -big, 0), [-0, -1], 'a closed output gate keeps the sign')
        assert.deepEqual(await gates(isa, big, -big, denormal, big, 1), [denormal, denormal], 'tanh x = x near 0')
        assert.deepEqual(await gates(isa, -big, big, 0, big, denormal), [denormal, denormal])
        assert.deepEqual(await gates(isa, -big, big, 0, big, Infinity), [1, Infinity])
        assert.deepEqual(await gates(isa, -big, big, 0, big, -Infinity), [-1, -Infinity])
        const small = (await gates(isa, -100, -big, big, 0, 0))[1]
        assert.ok(Math.abs(small / Math.exp(-100) - 1) < 0.05, `sigmoid(-100) is a denormal, ${small}`)
      })

      it(`lets NaN and infinities through on ${isa}`, async () => {
        const isNaNs = ([h, c]: [number, number]): boolean => Number.isNaN(h) && Number.isNaN(c)
        for (const at of [0, 1, 2]) {
          const inputs: [number, number, number, number] = [1, 1, 1, 1]
          inputs[at] = NaN
          assert.ok(isNaNs(await gates(isa, ...inputs, 1)), `gate ${at}`)
        }
        assert.ok(Number.isNaN((await gates(isa, 1, 1, 1, NaN, 1))[0]))
        assert.ok(isNaNs(await gates(isa, 1, 1, 1, 1, NaN)))
        // The other gates' weights are 0, and 0 times infinity is NaN.
        assert.ok(isNaNs(await gates(isa, Infinity, 1, 1, 1, 1)))
      })
    }
  })
})
