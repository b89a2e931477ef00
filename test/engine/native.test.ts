import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CellSizes } from '../../src/network/cell.ts'
import type { LinearFeedback, Run } from '../../src/engine/engine.ts'
import { createNativeEngine, nativeKernels } from '../../src/engine/native.ts'
import {
  assertSameBits, createRandom, randomBatch, randomCell, randomFloats, referenceStep, rowsOf, runBySteps, withoutAddon
} from '../support/cells.ts'

const SIZES: CellSizes[] = [
  { I: 1, Hi: 1, Ho: 1 }, { I: 3, Hi: 1, Ho: 3 }, { I: 5, Hi: 6, Ho: 3 }, { I: 16, Hi: 17, Ho: 16 }, { I: 17, Hi: 34, Ho: 17 },
  { I: 64, Hi: 128, Ho: 64 }, { I: 97, Hi: 64, Ho: 211 }, { I: 211, Hi: 97, Ho: 97 }, { I: 300, Hi: 200, Ho: 8 }
]
const named = ({ I, Hi, Ho }: CellSizes): string => `I = ${I}, Hi = ${Hi}, Ho = ${Ho}`

describe('the native engine', { skip: withoutAddon }, () => {
  const inline = { threads: 1, inlineBelow: Infinity }

  it('says what it runs on', () => {
    const [isa] = nativeKernels()
    assert.equal(createNativeEngine({ isa, threads: 1 }).backend, `${isa}, 1 thread`)
    assert.equal(createNativeEngine({ isa: 'portable', threads: 3 }).backend, 'portable, 3 threads')
    assert.equal(createNativeEngine().name, 'native')
  })

  it('refuses an instruction set that is not there, naming those that are', () => {
    assert.throws(() => createNativeEngine({ isa: 'mmx' }), /isa is mmx, but this CPU and build run .*portable/)
  })

  for (const sizes of SIZES) {
    it(`agrees with double precision, and gives a row the same bits in any batch, on any path: ${named(sizes)}`, async () => {
      const random = createRandom(sizes.I * 7 + sizes.Ho)
      const cell = randomCell(sizes, random)
      const batch = randomBatch(sizes, 70, random)
      const stepper = createNativeEngine({ ...inline, isa: 'portable' }).load(cell)
      await stepper.step(batch)
      const { h, c } = referenceStep(cell, batch)
      for (let i = 0; i < h.length; i++) {
        assert.ok(Math.abs(batch.hOut[i] - h[i]) < 2e-6, `h ${batch.hOut[i]}, expected ${h[i]}`)
        assert.ok(Math.abs(batch.cOut[i] - c[i]) < 2e-6, `c ${batch.cOut[i]}, expected ${c[i]}`)
      }

      for (const isa of nativeKernels()) {
        for (const options of [inline, { threads: 1, inlineBelow: 0 }, { threads: 2, inlineBelow: 0 }, { threads: 5, inlineBelow: 0 }]) {
          const other = createNativeEngine({ ...options, isa }).load(cell)
          for (const [from, to] of [[0, 70], [0, 1], [69, 70], [33, 34], [7, 9], [2, 5], [11, 15], [20, 25], [30, 36], [1, 8], [3, 67]]) {
            const part = rowsOf(batch, sizes, from, to)
            await other.step(part)
            const where = `${isa}, ${options.threads} threads, rows ${from} to ${to}`
            assertSameBits(part.hOut, batch.hOut.subarray(from * sizes.Ho, to * sizes.Ho), `h_out, ${where}`)
            assertSameBits(part.cOut, batch.cOut.subarray(from * sizes.Ho, to * sizes.Ho), `c_out, ${where}`)
          }
          other.dispose()
        }
      }
    })
  }

  describe('a run', () => {
    const random = createRandom(3)
    const feedbacks: Array<[string, CellSizes, (rows: number, steps: number) => LinearFeedback]> = [
      ['identity', { I: 5, Hi: 19, Ho: 19 }, () => ({ repeat: 1 })],
      ['repeat', { I: 4, Hi: 34, Ho: 17 }, () => ({ repeat: 2 })],
      ['vectors', { I: 3, Hi: 20, Ho: 9 }, (rows) => ({ repeat: 1, vectors: { data: randomFloats(rows * 11, random), perStep: false } })],
      ['vectors alone', { I: 3, Hi: 4, Ho: 9 }, (rows) => ({ repeat: 0, vectors: { data: randomFloats(rows * 4, random), perStep: false } })],
      ['a vector a step', { I: 33, Hi: 43, Ho: 40 }, (rows, steps) =>
        ({ repeat: 1, vectors: { data: randomFloats((steps - 1) * rows * 3, random), perStep: true } })],
      ['projection', { I: 7, Hi: 29, Ho: 18 }, () =>
        ({ repeat: 0, projection: { weight: randomFloats(29 * 18, random), bias: randomFloats(29, random) } })]
    ]
    for (const [name, sizes, feedbackFor] of feedbacks) {
      it(`gives the bits of its steps: ${name}`, async () => {
        const cell = randomCell(sizes, random)
        const { I, Hi, Ho } = sizes
        for (const [steps, rows] of [[1, 1], [2, 1], [9, 1], [150, 1], [3, 2], [40, 3], [17, 7], [3, 30], [4, 65], [2, 130]]) {
          for (const sameX of [false, true]) {
            const run = (): Run => ({ ...given, c: given.c.slice(), output: new Float32Array(steps * rows * Ho) })
            const given = {
              steps,
              rows,
              sameX,
              x: randomFloats((sameX ? 1 : steps) * rows * I, random),
              hIn: randomFloats(rows * Hi, random),
              c: randomFloats(rows * Ho, random),
              feedback: feedbackFor(rows, steps)
            }
            const expected = run()
            await runBySteps(createNativeEngine(inline).load(cell), sizes, expected)
            for (const isa of nativeKernels()) {
              if (isa === 'portable' && steps * rows > 60) continue // slow
              for (const options of [inline, { threads: 1, inlineBelow: 0 }, { threads: 2, inlineBelow: 0 }, { threads: 3, inlineBelow: 0 }]) {
                const actual = run()
                await createNativeEngine({ ...options, isa }).load(cell).run?.(actual)
                const where = `${steps} steps, ${rows} rows, ${isa}, ${options.threads} threads, ${sameX ? 'one x' : 'an x a step'}`
                assertSameBits(actual.output, expected.output, `output, ${where}`)
                assertSameBits(actual.c, expected.c, `c, ${where}`)
              }
            }
          }
        }
      })
    }
  })
})
