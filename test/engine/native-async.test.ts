import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { createNativeEngine } from '../../src/engine/native.ts'
import type { Run } from '../../src/engine/engine.ts'
import { assertSameBits, createRandom, randomBatch, randomCell, randomFloats, rowsOf, withoutAddon } from '../support/cells.ts'

const sizes = { I: 65, Hi: 66, Ho: 33 }
const random = createRandom(11)
const cell = randomCell(sizes, random)

describe('work off the event loop', { skip: withoutAddon }, () => {
  const engine = withoutAddon === false ? createNativeEngine({ threads: 2, inlineBelow: 0 }) : undefined
  const inline = withoutAddon === false ? createNativeEngine({ threads: 1, inlineBelow: Infinity }) : undefined
  const load = (given = cell): ReturnType<NonNullable<typeof engine>['load']> => {
    assert.ok(engine !== undefined)
    return engine.load(given)
  }
  const longRun = (steps: number): Run => ({
    steps,
    rows: 8,
    x: randomFloats(8 * sizes.I, random),
    sameX: true,
    hIn: randomFloats(8 * sizes.Hi, random),
    c: randomFloats(8 * sizes.Ho, random),
    output: new Float32Array(steps * 8 * sizes.Ho),
    feedback: { repeat: 2 }
  })

  it('gives a promise and leaves the outputs alone until it settles; light work is done on return', async () => {
    const batch = randomBatch(sizes, 16, random)
    const pending = load().step(batch)
    assert.ok(pending instanceof Promise)
    assert.ok(batch.hOut.every(Number.isNaN))
    await pending
    assert.ok(batch.hOut.every(Number.isFinite))
    assert.equal(inline?.load(cell).step(rowsOf(batch, sizes, 0, 16)), undefined)
    const between = createNativeEngine({ threads: 1, inlineBelow: 4 * sizes.Ho * (sizes.I + sizes.Hi) + 1 }).load(cell)
    assert.equal(between.step(rowsOf(batch, sizes, 0, 1)), undefined)
    assert.ok(between.step(rowsOf(batch, sizes, 0, 2)) instanceof Promise)
  })

  it('lets the event loop go on', async () => {
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    await load().run?.(longRun(3000))
    clearInterval(timer)
    assert.ok(ticks > 2, `${ticks} ticks`)
  })

  it('of many jobs at once, on several cells, gives each its own result', async () => {
    const jobs = await Promise.all(Array.from({ length: 200 }, async (_, n) => {
      const own = { I: 1 + n % 50, Hi: 1 + n % 31, Ho: 1 + n % 70 }
      const weights = randomCell(own, random)
      const batch = randomBatch(own, 1 + n % 9, random)
      await load(weights).step(batch)
      return { own, weights, batch }
    }))
    for (const { own, weights, batch } of jobs) {
      const again = rowsOf(batch, own, 0, batch.rows)
      await inline?.load(weights).step(again)
      assertSameBits(batch.hOut, again.hOut, JSON.stringify(own))
    }
  })

  it('goes on where its stepper is disposed of', async () => {
    const stepper = load()
    const run = longRun(200)
    const expected = { ...run, c: run.c.slice(), output: run.output.slice() }
    const pending = stepper.run?.(run)
    const second = randomBatch(sizes, 4, random)
    const waiting = stepper.step(second)
    stepper.dispose()
    assert.throws(() => stepper.step(second), /disposed/)
    await Promise.all([pending, waiting])
    await inline?.load(cell).run?.(expected)
    assertSameBits(run.output, expected.output, 'output')
  })

  it('reads its inputs at the call, so they may change or go', async () => {
    const batch = randomBatch(sizes, 16, random)
    const expected = rowsOf(batch, sizes, 0, 16)
    await inline?.load(cell).step(expected)
    const pending = load().step(batch)
    batch.x.fill(0)
    structuredClone(batch.hIn, { transfer: [batch.hIn.buffer] })
    await pending
    assertSameBits(batch.hOut, expected.hOut, 'h_out')
  })

  it('fails, and writes nothing, where an output has been detached meanwhile', async () => {
    const batch = randomBatch(sizes, 16, random)
    const pending = load().step(batch)
    structuredClone(batch.hOut, { transfer: [batch.hOut.buffer] })
    await assert.rejects(async () => await pending, { name: 'RangeError', message: /^hOut must have at least/ })
    assert.ok(batch.cOut.every(Number.isNaN))
  })

  it('survives the collection of its engine, its stepper and its buffers', async () => {
    const pending: Array<void | Promise<void>> = []
    for (let n = 0; n < 60; n++) {
      const own = createNativeEngine({ threads: 1 + n % 3, inlineBelow: 0 }).load(cell)
      pending.push(own.step(randomBatch(sizes, 8, random)))
      new Float32Array(1e6).fill(n) // garbage
      if (n % 20 === 19) await new Promise(setImmediate)
    }
    await Promise.all(pending)
  })

  it('ends with its worker thread, in the middle of a job', async () => {
    const source = `
      const addon = require(${JSON.stringify(new URL('../../build/Release/cellserve.node', import.meta.url).pathname)})
      const f = (n) => new Float32Array(n)
      const stepper = addon.createEngine(addon.kernels[0], 2, 0).load(64, 64, 64, f(16384), f(16384), f(256), f(256))
      const steps = 20000
      for (let n = 0; n < 3; n++) {
        stepper.run(steps, 8, f(8 * 64), true, f(8 * 64), f(8 * 64), f(steps * 8 * 64), 1, undefined, false, undefined, undefined)
      }
      require('node:worker_threads').parentPort.postMessage('started')
    `
    for (let n = 0; n < 5; n++) {
      const worker = new Worker(source, { eval: true })
      await new Promise((resolve) => worker.once('message', resolve))
      const start = performance.now()
      await worker.terminate()
      assert.ok(performance.now() - start < 2000, 'the job is given up, not waited for')
    }
  })
})
