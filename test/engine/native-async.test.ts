import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { encode } from '../../src/engine/encode.ts'
import type { Batch, CallOptions, LoadedNetwork } from '../../src/engine/engine.ts'
import { createNativeEngine } from '../../src/engine/native.ts'
import { compileStage } from '../../src/engine/program.ts'
import { concat, part } from '../../src/network/feed.ts'
import type { Network } from '../../src/network/network.ts'
import { addonFile, assertSameBits, withoutAddon } from '../support/addon.ts'
import { drawTask, run } from '../support/drive.ts'
import { onlyFull, scaled } from '../support/full.ts'
import { drawCell, drawLinear, drawOneStage, oneStage } from '../support/networks.ts'
import { createRandom, randomFloats } from '../support/random.ts'

const sizes = { I: 65, Hi: 66, Ho: 33 }
const random = createRandom(11)
const network = oneStage([drawCell(sizes, random)], { h: concat(part('h'), part('h')) })
const attending = oneStage([drawCell({ I: 4, Hi: 64, Ho: 32 }, random)], {
  read: { score: 'dot', scale: 1, query: part('h'), support: 32, key: drawLinear(32, 32, random) },
  h: concat(part('h'), part('read'))
})
const PLAIN_CALL: CallOptions = { repeated: 0, asked: 0, attention: 0 }

function fill (loaded: LoadedNetwork, rows: number, steps: number): Batch {
  const batch = loaded.batch(0, rows)
  batch.states[0].set(randomFloats(batch.states[0].length, createRandom(1)))
  batch.input(0, rows * steps * sizes.I).set(randomFloats(rows * steps * sizes.I, createRandom(2)))
  batch.output(0, rows * steps * sizes.Ho).fill(NaN)
  return batch
}

describe('work off the event loop', { skip: withoutAddon }, () => {
  const engine = withoutAddon === false ? createNativeEngine({ threads: 2, inlineBelow: 0 }) : undefined
  const inline = withoutAddon === false ? createNativeEngine({ threads: 1, inlineBelow: Infinity }) : undefined
  const load = (given: Network = network, on = engine): LoadedNetwork => on?.load(given) ?? assert.fail('no engine')

  it('gives a promise; light work is done on return', async () => {
    const batch = fill(load(), 16, 1)
    const pending = batch.advance(16, 1, PLAIN_CALL)
    assert.ok(pending instanceof Promise)
    await pending
    assert.ok(batch.output(0, 1).every(Number.isFinite))
    assert.equal(fill(load(network, inline), 16, 1).advance(16, 1, PLAIN_CALL), undefined)

    const [{ work }] = load().programs
    const between = createNativeEngine({ threads: 1, inlineBelow: 1.5 * work }).load(network)
    assert.equal(fill(between, 1, 1).advance(1, 1, PLAIN_CALL), undefined)
    assert.ok(fill(between, 2, 1).advance(2, 1, PLAIN_CALL) instanceof Promise)
    assert.ok(fill(between, 1, 2).advance(1, 2, PLAIN_CALL) instanceof Promise)
  })

  it('loads beside what is computed, with the same bits; what is wrong rejects', async () => {
    const now = fill(load(), 4, 3)
    const later = fill(await engine?.loadBeside(network) ?? assert.fail('no engine'), 4, 3)
    for (const batch of [now, later]) await batch.advance(4, 3, PLAIN_CALL)
    assertSameBits(later.states[1], now.states[1], 'the states')
    const [node] = network.stages[0].nodes
    const broken = { ...node, cell: { ...node.cell, weightIh: new Float32Array(3) } }
    await assert.rejects(engine?.loadBeside({ stages: [{ ...network.stages[0], nodes: [broken] }] }) ?? assert.fail('no engine'), { name: 'RangeError', message: /weightIh must have/ })
  })

  it('counts what attention reads', async () => {
    const between = createNativeEngine({ threads: 1, inlineBelow: 200 * 64 }).load(attending)
    for (const [count, heavy] of [[10, false], [400, true]] as const) {
      const memory = between.remember(0, randomFloats(count * 32, random), [count])
      while (!await memory.prepare(1000));
      const batch = between.batch(0, 1)
      batch.input(0, 4)
      batch.output(0, 32)
      batch.attach(0, memory, 0)
      const pending = batch.start(1, between.programs[0].read, between.programs[0].instructions.length, { attention: 0 })
      assert.equal(pending instanceof Promise, heavy, `${count} supports`)
      await pending
      memory.dispose()
    }
  })

  it('lets the event loop go on', async () => {
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    const steps = scaled(3000, 3)
    await fill(load(), 8, steps).advance(8, steps, PLAIN_CALL)
    clearInterval(timer)
    assert.ok(ticks > 2, `${ticks} ticks`)
  })

  it('of many jobs at once, on several networks, gives each its own result', async () => {
    await Promise.all(Array.from({ length: scaled(120, 4) }, async (_, n) => {
      const given = drawOneStage(random)
      const loaded = load(given)
      const task = drawTask(loaded.programs[0], 1 + n % 9, 1 + n % 4, random)
      const outcome = await run(loaded, task)
      const again = await run(load(given, inline), task)
      assertSameBits(outcome.state, again.state, `network ${n}`)
      outcome.outputs.forEach((output, k) => assertSameBits(output, again.outputs[k], `network ${n}, output ${k}`))
    }))
  })

  it('keeps its batch to itself', async () => {
    const batch = fill(load(), 8, 200)
    const output = batch.output(0, 1)
    const pending = batch.advance(8, 200, PLAIN_CALL)
    const busy = { name: 'Error', message: /busy with another call/ }
    assert.throws(() => batch.advance(8, 1, PLAIN_CALL), busy)
    assert.throws(() => batch.start(8, load().programs[0].read, load().programs[0].instructions.length, PLAIN_CALL), busy)
    assert.throws(() => batch.peek(8), busy)
    assert.throws(() => batch.input(0, 1e6), busy)
    await pending
    assert.ok(output.every(Number.isFinite))
    await batch.advance(8, 1, PLAIN_CALL)
  })

  it('goes on if its batch, network and memory are disposed of', async () => {
    const loaded = load()
    const batch = fill(loaded, 8, 200)
    const expected = fill(load(network, inline), 8, 200)
    const output = batch.output(0, 1)
    const pending = batch.advance(8, 200, PLAIN_CALL)
    const waiting = fill(loaded, 4, 1).advance(4, 1, PLAIN_CALL)
    batch.dispose()
    loaded.dispose()
    assert.throws(() => batch.advance(8, 1, PLAIN_CALL), /disposed/)
    await Promise.all([pending, waiting])
    await expected.advance(8, 200, PLAIN_CALL)
    assertSameBits(output, expected.output(0, 1), 'output')

    const reads = load(attending)
    const support = randomFloats(500 * 32, random)
    const memory = reads.remember(0, support, [500])
    const preparing = memory.prepare(Infinity)
    assert.ok(preparing instanceof Promise)
    assert.equal(memory.prepare(1), preparing, 'others who read it wait for the same')
    assert.equal(await preparing, true)
    const readers = reads.batch(0, 4)
    for (let i = 0; i < 4; i++) readers.attach(i, memory, 0)
    readers.states[0].set(randomFloats(readers.states[0].length, random))
    const reading = readers.start(4, reads.programs[0].read, reads.programs[0].instructions.length, PLAIN_CALL)
    assert.ok(reading instanceof Promise)
    memory.dispose()
    await reading
    assert.ok(readers.states[0].some((v) => v !== 0))
    await assert.rejects(async () => await readers.start(4, reads.programs[0].read, reads.programs[0].instructions.length, PLAIN_CALL), /row 0 has no memory attached/)
  })

  it('prepares a memory bit by bit, reading what it needs at each call', async () => {
    const reads = load(attending)
    const support = randomFloats(50 * 32, random)
    const one = reads.remember(0, support.slice(), [20, 30])
    const other = reads.remember(0, support, [20, 30])
    let calls = 0
    while (!await one.prepare(5000)) calls++
    assert.ok(calls >= 10, `${calls} calls`)
    const pending = other.prepare(Infinity)
    support.fill(0) // its own copy is what it works on
    await pending
    const batch = reads.batch(0, 4)
    batch.states[0].set(randomFloats(batch.states[0].length, random))
    const read = async (memory: typeof one): Promise<Float32Array> => {
      for (let i = 0; i < 4; i++) batch.attach(i, memory, i % 2)
      await batch.start(4, reads.programs[0].read, reads.programs[0].instructions.length, PLAIN_CALL)
      return batch.states[0].slice()
    }
    assertSameBits(await read(one), await read(other), 'read')
  })

  it('holds the memories that are attached, and of a memory its supports until they are prepared', async () => {
    const reads = load(attending)
    const batch = reads.batch(0, 1)
    batch.states[0].fill(1)
    const collected: number[] = []
    const registry = new FinalizationRegistry<number>((n) => collected.push(n))
    const attachOne = async (): Promise<void> => {
      const support = randomFloats(300 * 32, random)
      registry.register(support, 1)
      const memory = reads.remember(0, support, [300])
      while (!await memory.prepare(1000));
      batch.attach(0, memory, 0)
    }
    await attachOne()
    for (let n = 0; n < 100 && collected.length === 0; n++) {
      new Float32Array(1e7).fill(n) // garbage
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    assert.deepEqual(collected, [1])
    const [{ read: from, instructions }] = reads.programs
    await batch.start(1, from, instructions.length, PLAIN_CALL)
  })

  it('survives the collection of its engine, its network and its buffers', async () => {
    const pending: Array<void | Promise<void>> = []
    for (let n = 0; n < scaled(60, 3); n++) {
      const own = createNativeEngine({ threads: 1 + n % 3, inlineBelow: 0 }).load(network)
      pending.push(fill(own, 8, 2).advance(8, 2, PLAIN_CALL))
      new Float32Array(1e6).fill(n) // garbage
      if (n % 20 === 19) await new Promise(setImmediate)
    }
    await Promise.all(pending)
  })

  it('ends with its worker thread, in the middle of a job', onlyFull('takes seconds'), async () => {
    const { words, tensors } = encode(compileStage(oneStage([drawCell({ I: 64, Hi: 64, Ho: 64 }, random)]).stages[0]))
    const source = `
      const { parentPort, workerData: { words, tensors } } = require('node:worker_threads')
      const addon = require(${JSON.stringify(addonFile())})
      const steps = 20000
      for (const threads of [1, 2]) {
        const network = addon.createEngine(addon.kernels[0], threads, 0).load(words, tensors)
        for (let n = 0; n < 3; n++) {
          const batch = network.batch(8)
          batch.input(0, 8 * 64)
          batch.output(0, steps * 8 * 64)
          batch.advance(8, steps, 1, 0, 0, new Float64Array(16))
        }
      }
      parentPort.postMessage('started')
    `
    for (let n = 0; n < 5; n++) {
      const worker = new Worker(source, { eval: true, workerData: { words, tensors } })
      await new Promise((resolve) => worker.once('message', resolve))
      const start = performance.now()
      await worker.terminate()
      assert.ok(performance.now() - start < 2000, 'the job is given up, not waited for')
    }
  })
})
