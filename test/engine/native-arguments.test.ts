import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import { encode, type EncodedProgram } from '../../src/engine/encode.ts'
import { createNativeEngine } from '../../src/engine/native.ts'
import { compileStage, type Program } from '../../src/engine/program.ts'
import { concat, part } from '../../src/network/feed.ts'
import { addonFile, withoutAddon } from '../support/addon.ts'
import { scaled } from '../support/full.ts'
import { drawCell, drawLinear, drawOneStage, oneStage } from '../support/networks.ts'
import { createRandom, randomFloats } from '../support/random.ts'

const floats = (length: number): Float32Array => new Float32Array(length)

/** The functions of the addon, called as TypeScript would not allow. */
type Untyped = (...values: unknown[]) => unknown

function method (object: unknown, name: string): Untyped {
  if (typeof object !== 'object' || object === null) throw new TypeError('not an object')
  const value: unknown = Reflect.get(object, name)
  if (typeof value !== 'function') throw new TypeError(`${name} is no function`)
  return (...values) => Reflect.apply(value, object, values)
}

function arrayIn (object: unknown, name: string, index: number): Float32Array {
  if (typeof object !== 'object' || object === null) throw new TypeError('not an object')
  const value: unknown = Reflect.get(Object(Reflect.get(object, name)), index)
  assert.ok(value instanceof Float32Array)
  return value
}

const network = oneStage([drawCell({ I: 3, Hi: 9, Ho: 4 }, createRandom(1))], {
  read: { score: 'dot', scale: 1, query: part('h'), support: 5, key: drawLinear(5, 4, createRandom(2)) },
  h: concat(part('h'), part('read'))
})
const program = compileStage(network.stages[0])

function createEngine (inlineBelow: number): Untyped {
  const addon: unknown = createRequire(import.meta.url)(addonFile())
  return method(method(addon, 'createEngine')('portable', 2, inlineBelow), 'load')
}

function open (inlineBelow: number) {
  const load = createEngine(inlineBelow)
  const { words, tensors } = encode(program)
  const loaded = load(words, tensors)
  const batch = method(loaded, 'batch')(4)
  const memory = method(loaded, 'remember')(Uint32Array.of(2, 3))
  const id: unknown = Reflect.get(Object(memory), 'id')
  assert.ok(typeof id === 'number')
  const calls = {
    input: method(batch, 'input'),
    output: method(batch, 'output'),
    attention: method(batch, 'attention'),
    advance: method(batch, 'advance'),
    start: method(batch, 'start'),
    peek: method(batch, 'peek'),
    dispose: method(batch, 'dispose')
  }
  return {
    load,
    network: { batch: method(loaded, 'batch'), remember: method(loaded, 'remember'), dispose: method(loaded, 'dispose') },
    batch,
    ...calls,
    prepare: method(memory, 'prepare'),
    forget: method(memory, 'dispose'),
    attached: Float64Array.of(id, 0, id, 1, id, 1, id, 0),
    id,
    /** Makes buffers for two steps of four rows, and prepares the memory. */
    async fill () {
      calls.input(0, 24)
      calls.output(0, 32)
      calls.output(1, 40)
      calls.attention(24)
      assert.equal(await method(memory, 'prepare')(floats(25), 1e9), true)
    }
  }
}

const wrong = [undefined, null, 'x', {}, [], Symbol('x'), 1n, new DataView(new ArrayBuffer(256)), new ArrayBuffer(256), Buffer.alloc(256),
  () => {}, Object.create(Float32Array.prototype), Object.create(Float64Array.prototype), new Proxy(floats(64), {})]
const wrongNumbers = [...wrong, floats(4)]
const outOfRange = [-1, 0.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 53]

/** Calls with one value after another in the place of a right one. */
function withEach (call: Untyped, right: readonly unknown[], at: number, values: readonly unknown[], expected: { name: string, message: RegExp }): void {
  for (const value of values) assert.throws(() => call(...right.map((one, i) => i === at ? value : one)), expected)
}

describe('the arguments of the native engine', { skip: withoutAddon }, () => {
  for (const inlineBelow of [0, Infinity]) {
    const mode = inlineBelow === 0 ? 'off the event loop' : 'inline'

    it(`are taken if they are right, ${mode}`, async () => {
      const { advance, start, peek, attached, fill, batch } = open(inlineBelow)
      await fill()
      await advance(4, 2, 0, 2, 3, attached)
      await advance(4, 2, 1, 0, 0, attached)
      await start(4, program.read, program.instructions.length, 3, attached)
      await start(4, program.feed, program.instructions.length, 0, undefined)
      await peek(4)
      assert.ok(arrayIn(batch, 'states', 0).some((v) => v !== 0))
    })

    it(`of a wrong type are refused by name, ${mode}`, async () => {
      const addon = open(inlineBelow)
      await addon.fill()
      const { words, tensors } = encode(program)
      const advance = [4, 2, 0, 0, 3, addon.attached]
      for (const [at, name] of ['rows', 'steps', 'repeated', 'asked', 'attention'].entries()) {
        withEach(addon.advance, advance, at, wrongNumbers, { name: 'TypeError', message: new RegExp(`^${name} must be`) })
      }
      withEach(addon.advance, advance, 5, [...wrong, floats(64), 1], { name: 'TypeError', message: /^attached must be a Float64Array/ })
      withEach(addon.start, [4, program.read, program.instructions.length, 3, addon.attached], 0, wrongNumbers, { name: 'TypeError', message: /^rows/ })
      withEach(addon.start, [4, program.read, program.instructions.length, 3, addon.attached], 1, wrongNumbers, { name: 'TypeError', message: /^from/ })
      withEach(addon.start, [4, program.read, program.instructions.length, 3, addon.attached], 4, [...wrong, 1], { name: 'TypeError', message: /^attached/ })
      withEach(addon.peek, [4], 0, wrongNumbers, { name: 'TypeError', message: /^rows/ })
      withEach(addon.input, [0, 8], 0, wrongNumbers, { name: 'TypeError', message: /^k/ })
      withEach(addon.input, [0, 8], 1, wrongNumbers, { name: 'TypeError', message: /^floats/ })
      withEach(addon.output, [0, 8], 1, wrongNumbers, { name: 'TypeError', message: /^floats/ })
      withEach(addon.attention, [8], 0, wrongNumbers, { name: 'TypeError', message: /^floats/ })
      withEach(addon.prepare, [floats(25), 1], 0, [...wrong, new Float64Array(25)], { name: 'TypeError', message: /^support/ })
      withEach(addon.prepare, [floats(25), 1], 1, wrongNumbers, { name: 'TypeError', message: /^work/ })
      withEach(addon.network.batch, [4], 0, wrongNumbers, { name: 'TypeError', message: /^maxRows/ })
      withEach(addon.network.remember, [Uint32Array.of(1)], 0, [...wrong, floats(1), new Int32Array(1)], { name: 'TypeError', message: /^counts/ })
      withEach(addon.load, [words, tensors], 0, [...wrong, floats(64), Uint32Array.from(words)], { name: 'TypeError', message: /^words/ })
      withEach(addon.load, [words, tensors], 1, wrong.filter((value) => !Array.isArray(value)), { name: 'TypeError', message: /^tensors/ })
      for (const [at] of tensors.entries()) {
        for (const value of wrong) {
          assert.throws(() => addon.load(words, tensors.map((tensor, i) => i === at ? value : tensor)), { name: 'TypeError', message: /^tensors/ })
        }
      }
      for (const call of [addon.advance, addon.start, addon.peek, addon.load, addon.prepare, addon.network.batch, addon.network.remember]) {
        assert.throws(() => call(), { name: 'TypeError' })
      }
    })

    it(`out of range are refused by name, ${mode}`, async () => {
      const addon = open(inlineBelow)
      await addon.fill()
      const advance = [4, 2, 0, 0, 3, addon.attached]
      const range = (name: string): { name: string, message: RegExp } => ({ name: 'RangeError', message: new RegExp(`^${name} must be`) })
      withEach(addon.advance, advance, 0, [...outOfRange, 5], range('rows'))
      withEach(addon.advance, advance, 1, outOfRange, range('steps'))
      withEach(addon.advance, advance, 2, [-1, 0.5, NaN, 2 ** 32], range('repeated'))
      withEach(addon.advance, advance, 3, [-1, 0.5, NaN, 2 ** 32], range('asked'))
      withEach(addon.advance, advance, 4, [...outOfRange, 2], range('attention'))
      withEach(addon.start, [4, program.read, program.instructions.length, 3, addon.attached], 1, [...outOfRange, program.read - 1, program.instructions.length + 1], range('from'))
      withEach(addon.start, [4, program.read, program.instructions.length, 3, addon.attached], 2, [...outOfRange, program.read - 1, program.instructions.length + 1], range('to'))
      withEach(addon.peek, [4], 0, [...outOfRange, 5], range('rows'))
      withEach(addon.input, [0, 8], 0, [...outOfRange, 1], range('k'))
      withEach(addon.output, [0, 8], 0, [...outOfRange, program.outputs.length], range('k'))
      withEach(addon.input, [0, 8], 1, outOfRange, range('floats'))
      withEach(addon.prepare, [floats(25), 1], 1, [-1, NaN], range('work'))
      withEach(addon.network.batch, [4], 0, [...outOfRange, 0], range('maxRows'))
      assert.throws(() => addon.advance(4, 2, 0, 0, 3, new Float64Array(7)), { name: 'RangeError', message: 'attached must have at least 8 elements, not 7' })
      assert.throws(() => open(inlineBelow).prepare(floats(24), 1), { name: 'RangeError', message: 'support must have at least 25 elements, not 24' })
      assert.throws(() => addon.network.remember(new Uint32Array(1000).fill(2 ** 32 - 1)), { name: /Error/ })
    })

    it(`that need longer buffers are refused, ${mode}`, async () => {
      const addon = open(inlineBelow)
      const { advance, attached } = addon
      const needs = (what: string, needed: number, found: number) => ({ name: 'RangeError', message: `${what} must have at least ${needed} elements, not ${found}` })
      await addon.prepare(floats(25), 1e9)
      assert.throws(() => advance(4, 2, 0, 0, 0, attached), needs('input 0', 24, 0))
      addon.input(0, 23)
      assert.throws(() => advance(4, 2, 0, 0, 0, attached), needs('input 0', 24, 23))
      assert.throws(() => advance(4, 2 ** 31 - 1, 0, 0, 0, attached), needs('input 0', 12 * (2 ** 31 - 1), 23))
      assert.throws(() => advance(4, 2, 1, 0, 0, attached), needs('output 0', 32, 0))
      addon.output(0, 32)
      await advance(4, 2, 1, 0, 0, attached)
      assert.throws(() => advance(4, 2, 1, 2, 0, attached), needs('output 1', 40, 0))
      const gates = program.outputs.findIndex(({ name }) => name === 'gates')
      assert.throws(() => advance(4, 2, 1, 2 ** gates, 0, attached), needs(`output ${gates}`, 128, 0))
      assert.throws(() => advance(4, 2, 1, 0, 3, attached), needs('attention', 24, 0))
      addon.attention(23)
      assert.throws(() => advance(4, 2, 1, 0, 3, attached), needs('attention', 24, 23))
      assert.throws(() => advance(4, 2, 1, 0, 2 ** 31 - 1, attached), { name: 'RangeError', message: /^attention must have at least/ })
    })

    it(`that attach what is not there are refused, ${mode}`, async () => {
      const addon = open(inlineBelow)
      const attach = (...pairs: number[]): unknown => addon.advance(4, 2, 0, 0, 0, Float64Array.of(...pairs))
      await addon.fill()
      const { id } = addon
      assert.throws(() => attach(id, 0, id, 1, id, 2, id, 0), { name: 'RangeError', message: 'row 2 reads a set that its memory has not' })
      for (const set of [-1, NaN, Infinity, 2 ** 60]) assert.throws(() => attach(id, 0, id, set, id, 0, id, 0), { message: /^row 1 reads a set/ })
      for (const other of [0, -1, NaN, Infinity, id + 1, 2 ** 63, 2 ** 64, 1e300]) {
        assert.throws(() => attach(id, 0, id, 0, id, 0, other, 0), { name: 'RangeError', message: 'row 3 has no memory attached' })
      }
      const late = addon.network.remember(Uint32Array.of(4))
      const lateId = Number(Reflect.get(Object(late), 'id'))
      assert.throws(() => attach(id, 0, lateId, 0, id, 0, id, 0), { message: /^row 1 has a memory attached that is not prepared/ })
      addon.forget()
      addon.forget()
      assert.throws(() => attach(id, 0, id, 0, id, 0, id, 0), { message: 'row 0 has no memory attached' })
      assert.throws(() => addon.prepare(floats(25), 1), /disposed/)
    })

    it(`may be of no rows or no steps, ${mode}`, async () => {
      const addon = open(inlineBelow)
      await addon.prepare(floats(25), 1e9)
      assert.equal(addon.advance(0, 2, 0, 0, 0, new Float64Array(0)), undefined)
      assert.equal(addon.advance(4, 0, 0, 0, 0, addon.attached), undefined)
      assert.equal(addon.start(0, program.read, program.instructions.length, 0, new Float64Array(0)), undefined)
      assert.equal(addon.peek(0), undefined)
      assert.equal(addon.peek(4), undefined, 'nothing is made as a step begins')
    })

    it(`whose buffers JavaScript has given away do no harm, ${mode}`, async () => {
      const addon = open(inlineBelow)
      await addon.fill()
      const state = arrayIn(addon.batch, 'states', 0)
      const input = addon.input(0, 24)
      assert.ok(input instanceof Float32Array)
      // Node.js gives them away, copies them or refuses, by its version.
      const giveAway = ({ buffer }: Float32Array): void => {
        try {
          structuredClone(buffer, { transfer: [buffer] })
          if ('transfer' in buffer) method(buffer, 'transfer')()
        } catch (error) {
          assert.ok(error instanceof Error)
        }
      }
      giveAway(state)
      giveAway(input)
      const detached = new Float64Array(8)
      structuredClone(detached, { transfer: [detached.buffer] })
      assert.throws(() => addon.advance(4, 2, 0, 0, 0, detached), { message: /^attached must have at least 8 elements, not 0/ })
      const output = addon.output(0, 32)
      assert.ok(output instanceof Float32Array)
      await addon.advance(4, 2, 0, 0, 0, addon.attached)
      assert.ok(output.some((v) => v !== 0))
      addon.dispose()
      output.fill(1)
    })

    it(`of a resizable buffer that has shrunk are refused, ${mode}`, async () => {
      const addon = open(inlineBelow)
      const buffer: unknown = Reflect.construct(ArrayBuffer, [100, { maxByteLength: 200 }])
      assert.ok(buffer instanceof ArrayBuffer)
      const whole = new Float32Array(buffer)
      const fixed = new Float32Array(buffer, 0, 25)
      method(buffer, 'resize')(96)
      for (const support of [whole, fixed]) assert.throws(() => addon.prepare(support, 1), { name: 'RangeError', message: /^support / })
    })
  }

  it('of an engine are checked', () => {
    for (const threads of [0, -1, 1.5, NaN, 2000]) assert.throws(() => createNativeEngine({ threads }), { name: 'RangeError', message: /^threads/ })
    assert.throws(() => createNativeEngine({ inlineBelow: -1 }), { name: 'RangeError', message: /^inlineBelow/ })
    assert.throws(() => createNativeEngine({ inlineBelow: NaN }), { name: 'RangeError', message: /^inlineBelow/ })
  })

  it('are not taken by what has been disposed of', async () => {
    const addon = open(Infinity)
    await addon.fill()
    addon.dispose()
    addon.dispose()
    assert.throws(() => addon.advance(4, 2, 0, 0, 3, addon.attached), /the batch has been disposed of/)
    assert.throws(() => addon.input(0, 8), /disposed/)
    const other = open(Infinity)
    await other.fill()
    other.network.dispose()
    other.network.dispose()
    assert.throws(() => other.advance(4, 2, 0, 0, 3, other.attached), /the network has been disposed of/)
    assert.throws(() => other.network.batch(1), /disposed/)
    assert.throws(() => other.network.remember(Uint32Array.of(1)), /disposed/)
    assert.throws(() => other.prepare(floats(25), 1), /disposed/)
  })

  it('may not be a memory of another network, or of none', async () => {
    const one = open(Infinity)
    const other = open(Infinity)
    await other.fill()
    one.forget()
    await one.fill().catch(() => {})
    other.network.remember(Uint32Array.of(1))
    one.input(0, 24)
    one.output(0, 32)
    assert.throws(() => one.advance(4, 2, 0, 0, 0, other.attached), /row 0 has no memory attached/)
    const plain = encode(compileStage(oneStage([drawCell({ I: 1, Hi: 1, Ho: 1 }, createRandom(1))]).stages[0]))
    assert.throws(() => method(createEngine(0)(plain.words, plain.tensors), 'remember')(Uint32Array.of(1)), /reads no memory/)
  })

  describe('of a program', () => {
    const load = withoutAddon === false ? createEngine(Infinity) : () => undefined
    /** Loads it, and if it is taken, runs it. */
    const tryOut = (given: Program, { words, tensors }: EncodedProgram, rows: number): void => {
      const loaded = load(words, tensors)
      const batch = method(loaded, 'batch')(rows)
      given.inputs.forEach((_, k) => method(batch, 'input')(k, 200))
      given.outputs.forEach((_, k) => method(batch, 'output')(k, 200))
      let attached = new Float64Array(2 * rows)
      if (given.attention !== undefined) {
        const memory = method(loaded, 'remember')(Uint32Array.of(3))
        method(memory, 'prepare')(floats(3 * 64), Infinity)
        attached = attached.map((_, i) => i % 2 === 0 ? Number(Reflect.get(Object(memory), 'id')) : 0)
      }
      method(batch, 'advance')(rows, 2, 0, 2 ** 32 - 1, 0, attached)
      method(batch, 'peek')(rows)
      method(batch, 'start')(rows, given.read, given.instructions.length, 0, attached)
    }

    it('are refused if tensors are missing, too many, or of another size', () => {
      const { words, tensors } = encode(program)
      tensors.forEach((tensor, at) => {
        for (const length of [0, tensor.length - 1, tensor.length + 1]) {
          if (length === tensor.length) continue
          assert.throws(() => load(words, tensors.map((one, i) => i === at ? floats(length) : one)),
            { name: 'RangeError', message: new RegExp(`must have ${tensor.length} elements, not ${length}`) })
        }
      })
      assert.throws(() => load(words, tensors.slice(1)), { name: 'RangeError' })
      assert.throws(() => load(words, [...tensors, floats(1)]), /tensors left over/)
    })

    it('are refused if they end too soon or go on too long', () => {
      const { words, tensors } = encode(program)
      for (let length = 0; length < words.length; length++) assert.throws(() => load(words.subarray(0, length), tensors), { name: 'RangeError' })
      assert.throws(() => load(Int32Array.of(...words, 0), tensors), /words left over/)
    })

    it('do no harm, whatever they say', () => {
      const random = createRandom(3)
      let taken = 0
      for (let n = 0; n < scaled(4000, 10); n++) {
        const given = compileStage(drawOneStage(random, 6).stages[0])
        const { words, tensors } = encode(given)
        const changed = words.slice()
        for (let edits = 1 + Math.floor(random() * 3); edits > 0; edits--) {
          const at = Math.floor(random() * words.length)
          changed[at] = random() < 0.7 ? Math.floor(random() * 12) : random() < 0.5 ? changed[at] + 1 : Math.floor((random() - 0.5) * 2 ** 32)
        }
        try {
          tryOut(given, { words: changed, tensors }, 1 + Math.floor(random() * 3))
          taken++
        } catch (error) {
          assert.ok(error instanceof RangeError || error instanceof Error, String(error))
        }
      }
      assert.ok(taken > scaled(100, 10), `${taken} are taken`)
    })

    it('may change while they are read', () => {
      const { words, tensors } = encode(program)
      const hostile = [...tensors]
      // The array of tensors runs JavaScript as it is read.
      Object.defineProperty(hostile, 1, {
        get () {
          structuredClone(tensors[0], { transfer: [tensors[0].buffer] })
          return tensors[1]
        }
      })
      assert.throws(() => load(words, hostile), { name: 'RangeError', message: /^weightIh must have \d+ elements, not 0/ })
    })
  })

  it('may be of any length past the rows', async () => {
    const loaded = createNativeEngine({ inlineBelow: Infinity }).load(oneStage([drawCell({ I: 3, Hi: 2, Ho: 2 }, createRandom(1))]))
    const batch = loaded.batch(0, 9)
    batch.input(0, 99).set(randomFloats(99, createRandom(2)))
    const output = batch.output(0, 99)
    await batch.advance(1, 1, { repeated: 0, asked: 0, attention: 0 })
    assert.ok(output[0] !== 0 && output[1] !== 0)
    assert.ok(output.subarray(2).every((v) => v === 0))
    assert.ok(batch.states[1].subarray(4).every((v) => v === 0))
  })
})
