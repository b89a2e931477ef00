import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createNativeEngine, nativeKernels, type NativeOptions } from '../../src/engine/native.ts'
import type { Program } from '../../src/engine/program.ts'
import { createCell } from '../../src/network/cell.ts'
import { concat, part } from '../../src/network/feed.ts'
import type { Network } from '../../src/network/network.ts'
import { findSlice } from '../../src/network/state.ts'
import { assertSameBits, withoutAddon } from '../support/addon.ts'
import { drawTask, partOf, remember, run, type Outcome, type Task } from '../support/drive.ts'
import { FULL, scaled, some } from '../support/full.ts'
import { drawCell, drawLinear, drawOneStage, oneStage } from '../support/networks.ts'
import { createRandom, randomFloats } from '../support/random.ts'

const inline = { threads: 1, inlineBelow: Infinity }
/** Every way in which work is shared out: alone and in teams, inline and off the event loop. */
const WAYS: readonly NativeOptions[] = [inline, { threads: 1, inlineBelow: 0 }, { threads: 2, inlineBelow: 0 }, { threads: 5, inlineBelow: 0 }]

/** Asks that some rows of a task, for some of its steps, are as they were among all. */
function assertPart (program: Program, task: Task, all: Outcome, some: Outcome, picked: readonly number[], from: number, what: string): void {
  const steps = some.outputs[0].length / picked.length / program.outputs[0].width
  const compare = (actual: Float32Array, expected: Float32Array, width: number, wide: number, name: string): void => {
    for (let t = 0; t < steps; t++) {
      picked.forEach((row, i) => {
        const at = (t * picked.length + i) * width
        const of = ((from + t) * task.rows + row) * wide
        assertSameBits(actual.subarray(at, at + width), expected.subarray(of, of + width), `${what}, ${name}, row ${row}, step ${from + t}`)
      })
    }
  }
  program.outputs.forEach(({ name, width }, k) => compare(some.outputs[k], all.outputs[k], width, width, name))
  const wide = all.attention.length / task.rows / task.steps
  compare(some.attention, all.attention, some.attention.length / picked.length / steps, wide, 'attention')
}

function assertSame (actual: Outcome, expected: Outcome, what: string): void {
  assertSameBits(actual.state, expected.state, `${what}, state`)
  actual.outputs.forEach((output, k) => assertSameBits(output, expected.outputs[k], `${what}, output ${k}`))
  assertSameBits(actual.attention, expected.attention, `${what}, attention`)
}

let turn = 0

async function assertOneAnswer (network: Network, rows: number, steps: number, random: () => number, name: string): Promise<void> {
  const reference = createNativeEngine({ ...inline, isa: 'portable' }).load(network)
  const [program] = reference.programs
  const task = drawTask(program, rows, steps, random, 150)
  const expected = await run(reference, task)
  turn++
  for (const [i, isa] of nativeKernels().entries()) {
    // In the quick suite each instruction set goes one of the ways, another each time.
    for (const way of FULL ? WAYS : [WAYS[(turn + i) % WAYS.length]]) {
      const loaded = createNativeEngine({ ...way, isa }).load(network)
      const what = `${name}, ${rows} rows, ${steps} steps, ${isa}, ${way.threads} threads`
      assertSame(await run(loaded, task, { maxRows: rows + 3 }), expected, what)

      const picked = Array.from({ length: 1 + Math.floor(random() * Math.min(rows, 9)) }, () => Math.floor(random() * rows))
      assertPart(program, task, expected, await run(loaded, partOf(program, task, picked)), picked, 0, `${what}, some rows`)

      const half = Math.floor(random() * steps)
      const first = await run(loaded, partOf(program, task, picked, 0, half))
      const rest = { ...partOf(program, task, picked, half), state: first.state }
      const second = await run(loaded, rest)
      assertPart(program, task, expected, second, picked, half, `${what}, the steps from ${half} on`)
      loaded.dispose()
    }
  }
}

describe('the native engine', { skip: withoutAddon }, () => {
  it('says what it runs on', () => {
    const [isa] = nativeKernels()
    assert.equal(createNativeEngine({ isa, threads: 1 }).backend, `${isa}, 1 thread`)
    assert.equal(createNativeEngine({ isa: 'portable', threads: 3 }).backend, 'portable, 3 threads')
    assert.equal(createNativeEngine().name, 'native')
  })

  it('refuses an instruction set that is not there, naming those that are', () => {
    assert.throws(() => createNativeEngine({ isa: 'mmx' }), /isa is mmx, but this CPU and build run .*portable/)
  })

  describe('gives a row the same bits in any batch, by steps or at once, on any instruction set, on any threads:', () => {
    it('random networks', async () => {
      const random = createRandom(5)
      for (let n = 0; n < scaled(60, 12); n++) {
        const network = drawOneStage(random, n % 4 === 0 ? 100 : 20)
        await assertOneAnswer(network, 1 + Math.floor(random() ** 2 * 30), 1 + Math.floor(random() * 6), random, `network ${n}`)
      }
    })

    it('cells of every kind, alone and in blocks', async () => {
      const random = createRandom(6)
      for (const kind of ['lstm', 'gru', 'rnn'] as const) {
        for (const [I, Hi, Ho] of some([[5, 6, 3], [0, 64, 64], [17, 34, 17], [1, 1, 1], [97, 64, 211], [300, 200, 8]])) {
          const network = Hi === Ho
            ? oneStage([drawCell({ I, Hi, Ho }, random, { kind })])
            : oneStage([drawCell({ I, Hi, Ho }, random, { kind })], { h: { kind: 'linear', linear: drawLinear(Ho, Hi, random), of: part('h') } })
          for (const [rows, steps] of [[1, 3], [6, 2], [70, 2]]) await assertOneAnswer(network, rows, steps, random, `${kind} ${I} ${Hi} ${Ho}`)
        }
      }
    })

    it('steps whose inputs are multiplied together', async () => {
      const random = createRandom(7)
      const wirings = [
        oneStage([drawCell({ I: 33, Hi: 19, Ho: 19 }, random)]),
        oneStage([drawCell({ I: 4, Hi: 34, Ho: 17 }, random)], { h: concat(part('h'), part('h')) }),
        oneStage([drawCell({ I: 33, Hi: 43, Ho: 40 }, random)], { h: concat(part('h'), part('vectors')) }, 33, 3),
        oneStage([drawCell({ I: 20, Hi: 17, Ho: 17 }, random, { kind: 'gru' }), drawCell({ I: 17, Hi: 30, Ho: 30 }, random), drawCell({ I: 30, Hi: 9, Ho: 9 }, random, { kind: 'rnn' })])
      ]
      for (const [n, network] of wirings.entries()) {
        for (const [rows, steps] of some([[3, 30], [30, 3], [1, 60], [7, 10]])) await assertOneAnswer(network, rows, steps, random, `wiring ${n}`)
      }
    })
  })
  it('makes after a start what it makes after its cells, in place', async () => {
    const random = createRandom(8)
    for (let n = 0; n < scaled(60, 6); n++) {
      const network = drawOneStage(random)
      for (const way of WAYS) {
        const loaded = createNativeEngine(way).load(network)
        const [program] = loaded.programs
        const task = { ...drawTask(program, 1 + Math.floor(random() * 8), 1, random), repeated: 0 }
        const after = await run(loaded, task)
        // A start makes all this anew, and leaves the rest.
        const made = program.state.slices.filter(({ name }) => name === 'read' || name.startsWith('let') || (name === 'h_in' && !program.late))
        const gone = after.state.slice()
        for (const { offset, width } of made) {
          for (let row = 0; row < task.rows; row++) gone.fill(NaN, row * program.state.width + offset, row * program.state.width + offset + width)
        }
        const started = await run(loaded, { ...task, state: gone }, { start: program.read })
        assertSameBits(started.state, after.state, `network ${n}, ${way.threads} threads`)
        assertSameBits(started.attention, after.attention, `network ${n}, attention`)

        const feed = after.state.slice()
        const fed = made.find(({ name }) => name === 'h_in')
        if (fed !== undefined) for (let row = 0; row < task.rows; row++) feed.fill(NaN, row * program.state.width + fed.offset, row * program.state.width + fed.offset + fed.width)
        assertSameBits((await run(loaded, { ...task, state: feed }, { start: program.feed })).state, after.state, `network ${n}, from the feed`)
      }
    }
  })

  it('tells what a step would read, if that is made as it begins', async () => {
    const random = createRandom(9)
    let late = 0
    for (let n = 0; n < scaled(300, 6); n++) {
      const network = drawOneStage(random)
      const loaded = createNativeEngine(WAYS[n % WAYS.length]).load(network)
      const [program] = loaded.programs
      if (!program.late) continue
      late++
      const task = { ...drawTask(program, 1 + Math.floor(random() * 8), 1, random), repeated: 0 }
      const after = await run(loaded, task)
      const batch = loaded.batch(0, task.rows)
      batch.states[0].set(task.state)
      program.inputs.forEach((_, k) => batch.input(k, task.inputs[k].length).set(task.inputs[k]))
      await batch.peek(task.rows)
      const { offset, width } = findSlice(program.state, 'h_in') ?? assert.fail('no h_in')
      for (let row = 0; row < task.rows; row++) {
        const at = row * program.state.width + offset
        assertSameBits(batch.states[1].subarray(at, at + width), after.state.subarray(at, at + width), `network ${n}, row ${row}`)
      }
      assertSameBits(batch.states[0], task.state, 'the state is left as it is')
    }
    assert.ok(late > scaled(50, 6), `${late} networks`)
  })

  it('writes an output that must be asked for only then', async () => {
    const random = createRandom(10)
    const network = oneStage([drawCell({ I: 3, Hi: 4, Ho: 4 }, random)], { lets: [{ name: 'twice', feed: concat(part('h'), part('h')) }] })
    const loaded = createNativeEngine(inline).load(network)
    const batch = loaded.batch(0, 2)
    batch.input(0, 6).set(randomFloats(6, random))
    batch.output(0, 8)
    const twice = batch.output(1, 16).fill(7)
    await batch.advance(2, 1, { repeated: 0, asked: 0, attention: 0 })
    assert.ok(twice.every((v) => v === 7))
    await batch.advance(2, 1, { repeated: 0, asked: 2, attention: 0 })
    assert.ok(twice.subarray(0, 16).every((v) => v !== 7))
  })

  it('gives attention weights as wide as they are asked for, zeros past a row\'s own', async () => {
    const random = createRandom(11)
    const read = { score: 'dot', scale: 1, query: part('h'), support: 4 } as const
    const network = oneStage([drawCell({ I: 3, Hi: 8, Ho: 4 }, random)], { read, h: concat(part('h'), part('read')) })
    for (const way of WAYS) {
      const loaded = createNativeEngine(way).load(network)
      const task = { ...drawTask(loaded.programs[0], 3, 1, random), supports: [3, 0, 20].map((count) => randomFloats(count * 4, random)) }
      const batch = loaded.batch(0, 3)
      const { memory, sets } = await remember(loaded, 0, task)
      batch.states[0].set(task.state)
      task.supports.forEach((set, i) => batch.attach(i, memory, sets.indexOf(set)))
      const weights = batch.attention(3 * 33).fill(7)
      await batch.start(3, loaded.programs[0].read, loaded.programs[0].instructions.length, { attention: 33 })
      task.supports.forEach((set, i) => {
        const own = weights.subarray(i * 33, i * 33 + set.length / 4)
        assert.ok(set.length === 0 || Math.abs(own.reduce((a, b) => a + b, 0) - 1) < 1e-6)
        assert.ok(weights.subarray(i * 33 + set.length / 4, (i + 1) * 33).every((v) => v === 0))
      })
      const { offset, width } = findSlice(loaded.programs[0].state, 'read') ?? assert.fail('no read')
      const nothing = batch.states[0].subarray(loaded.programs[0].state.width + offset).subarray(0, width)
      assert.ok(nothing.every((v) => v === 0), 'a read of no supports is zeros')
    }
  })

  describe('at the ends of the float range', () => {
    /** A cell of one unit whose gates are x itself, stepped from c = `c`. */
    async function gates (isa: string, i: number, f: number, g: number, o: number, c: number): Promise<[number, number]> {
      const cell = createCell({
        sizes: { I: 4, Hi: 1, Ho: 1 },
        weightIh: Float32Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1),
        weightHh: new Float32Array(4),
        biasIh: new Float32Array(4),
        biasHh: new Float32Array(4)
      })
      const loaded = createNativeEngine({ ...inline, isa }).load(oneStage([cell]))
      const { state } = await run(loaded, { rows: 1, steps: 1, state: Float32Array.of(0, c), inputs: [Float32Array.of(i, f, g, o)], repeated: 0, supports: [] })
      return [state[0], state[1]]
    }
    const denormal = 2 ** -140
    const big = 3e38

    for (const isa of withoutAddon === false ? nativeKernels() : []) {
      it(`is right on ${isa}`, async () => {
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

      it(`makes NaN of what overflows on ${isa}`, async () => {
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
