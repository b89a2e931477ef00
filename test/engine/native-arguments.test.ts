import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, it } from 'node:test'
import { createNativeEngine } from '../../src/engine/native.ts'
import { createRandom, randomCell, withoutAddon } from '../support/cells.ts'

const sizes = { I: 3, Hi: 4, Ho: 2 }
const floats = (length: number): Float32Array => new Float32Array(length)

/** The functions of the addon, called as TypeScript would not allow. */
type Untyped = (...values: unknown[]) => unknown

function method (object: unknown, name: string): Untyped {
  if (typeof object !== 'object' || object === null) throw new TypeError('not an object')
  const value: unknown = Reflect.get(object, name)
  if (typeof value !== 'function') throw new TypeError(`${name} is no function`)
  return (...values) => Reflect.apply(value, object, values)
}

function open (inlineBelow: number): { load: Untyped, step: Untyped, run: Untyped, dispose: Untyped } {
  const addon: unknown = createRequire(import.meta.url)('../../build/Release/cellserve.node')
  const load = method(method(addon, 'createEngine')('portable', 2, inlineBelow), 'load')
  const stepper = load(3, 4, 2, floats(24), floats(32), floats(8), floats(8))
  return { load, step: method(stepper, 'step'), run: method(stepper, 'run'), dispose: method(stepper, 'dispose') }
}

const step: readonly unknown[] = [2, floats(6), floats(8), floats(4), floats(4), floats(4)]
const run: readonly unknown[] = [3, 2, floats(18), false, floats(8), floats(4), floats(12), 2, undefined, false, undefined, undefined]
const stepNames = ['rows', 'x', 'hIn', 'cIn', 'hOut', 'cOut']
const runNames = ['steps', 'rows', 'x', 'sameX', 'hIn', 'c', 'output']
const withAt = (values: readonly unknown[], at: number, value: unknown): unknown[] => values.map((v, i) => i === at ? value : v)

describe('the arguments of the native engine', { skip: withoutAddon }, () => {
  for (const inlineBelow of [0, Infinity]) {
    const mode = inlineBelow === 0 ? 'off the event loop' : 'inline'

    it(`are taken where they are right, ${mode}`, async () => {
      const addon = open(inlineBelow)
      await addon.step(...step)
      await addon.run(...run)
      await addon.run(...withAt(withAt(run, 7, 1), 8, floats(4)))
      await addon.run(...withAt(withAt(withAt(run, 7, 1), 8, floats(8)), 9, true))
      await addon.run(...withAt(withAt(withAt(run, 7, 0), 10, floats(8)), 11, floats(4)))
    })

    it(`of a wrong type are refused by name, ${mode}`, () => {
      const addon = open(inlineBelow)
      const wrong = [undefined, null, 'x', {}, [], Symbol('x'), 1n, new Float64Array(64), new Int32Array(64), new ArrayBuffer(256),
        new DataView(new ArrayBuffer(256)), Buffer.alloc(256), () => {}, Object.create(Float32Array.prototype),
        new Proxy(floats(64), {})]
      for (const value of wrong) {
        for (const [call, values, names] of [[addon.step, step, stepNames], [addon.run, run, runNames]] as const) {
          names.forEach((name, i) => {
            assert.throws(() => call(...withAt(values, i, value)), { name: 'TypeError', message: new RegExp(`^${name} must be`) })
          })
        }
        assert.throws(() => addon.load(3, 4, 2, value, floats(32), floats(8), floats(8)), { name: 'TypeError', message: /^weightIh/ })
        assert.throws(() => addon.load(3, 4, 2, floats(24), value, floats(8), floats(8)), { name: 'TypeError', message: /^weightHh/ })
        assert.throws(() => addon.load(3, 4, 2, floats(24), floats(32), floats(8), value), { name: 'TypeError', message: /^biasHh/ })
        assert.throws(() => addon.load(value, 4, 2, floats(24), floats(32), floats(8), floats(8)), { name: 'TypeError', message: /^I / })
      }
      assert.throws(() => addon.step(), { name: 'TypeError' })
      assert.throws(() => addon.run(), { name: 'TypeError' })
      assert.throws(() => addon.load(), { name: 'TypeError' })
    })

    it(`of a wrong size are refused by name, ${mode}`, () => {
      const addon = open(inlineBelow)
      for (const [call, values, names] of [[addon.step, step, stepNames], [addon.run, run, runNames]] as const) {
        names.forEach((name, i) => {
          const value = values[i]
          if (!(value instanceof Float32Array)) return
          assert.throws(() => call(...withAt(values, i, floats(value.length - 1))),
            { name: 'RangeError', message: `${name} must have at least ${value.length} elements, not ${value.length - 1}` })
          const detached = floats(value.length)
          structuredClone(detached, { transfer: [detached.buffer] })
          assert.throws(() => call(...withAt(values, i, detached)), { name: 'RangeError', message: /not 0$/ })
        })
        for (const rows of [-1, 0.5, NaN, Infinity, 2 ** 31, 2 ** 53, -Infinity]) {
          assert.throws(() => call(...withAt(values, names.indexOf('rows'), rows)), { name: 'RangeError', message: /^rows must be/ })
        }
        assert.throws(() => call(...withAt(values, names.indexOf('rows'), 2 ** 31 - 1)), { name: 'RangeError', message: /^x / })
      }
      assert.throws(() => addon.run(...withAt(run, 0, 2 ** 31 - 1)), { name: 'RangeError', message: /^x / })
      assert.throws(() => addon.run(...withAt(withAt(run, 0, 2 ** 31 - 1), 1, 2 ** 31 - 1)), { name: 'RangeError', message: /x would be larger/ })
      assert.throws(() => addon.run(...withAt(withAt(run, 0, 2 ** 31 - 1), 3, true)), { name: 'RangeError', message: /^output / })
      for (const size of [0, -1, 1.5, NaN, 2 ** 31]) {
        assert.throws(() => addon.load(size, 4, 2, floats(24), floats(32), floats(8), floats(8)), { name: 'RangeError', message: /^I must be/ })
      }
      assert.throws(() => addon.load(2 ** 30, 4, 2 ** 30, floats(24), floats(32), floats(8), floats(8)), { name: 'RangeError' })
    })

    it(`of a resizable buffer that has shrunk are refused, ${mode}`, () => {
      const addon = open(inlineBelow)
      const create: unknown = Reflect.construct(ArrayBuffer, [24, { maxByteLength: 64 }])
      assert.ok(create instanceof ArrayBuffer)
      const whole = new Float32Array(create)
      const fixed = new Float32Array(create, 0, 6)
      method(create, 'resize')(20)
      for (const x of [whole, fixed]) assert.throws(() => addon.step(...withAt(step, 1, x)), { name: 'RangeError', message: /^x / })
    })

    it(`may not overlap, ${mode}`, () => {
      const addon = open(inlineBelow)
      const shared = floats(64)
      for (const out of [4, 5]) {
        for (const [at, size] of [[1, 6], [2, 8], [3, 4]] as const) {
          const input = withAt(step, at, shared.subarray(0, size))
          assert.throws(() => addon.step(...withAt(input, out, shared.subarray(size - 1, size + 3))), { name: 'RangeError', message: /overlap/ })
          assert.doesNotThrow(() => addon.step(...withAt(input, out, shared.subarray(size, size + 4))))
        }
      }
      assert.throws(() => addon.step(...withAt(withAt(step, 4, shared.subarray(0, 4)), 5, shared.subarray(2, 6))), /hOut may not overlap cOut/)
      for (const out of [5, 6]) {
        for (const at of [2, 4]) {
          assert.throws(() => addon.run(...withAt(withAt(run, at, shared), out, shared)), { name: 'RangeError', message: /overlap/ })
        }
      }
      assert.throws(() => addon.run(...withAt(withAt(run, 5, shared), 6, shared)), /output may not overlap c/)
    })

    it(`of a feedback are checked, ${mode}`, () => {
      const addon = open(inlineBelow)
      const feedback = (repeat: unknown, vectors?: unknown, perStep: unknown = false, weight?: unknown, bias?: unknown): unknown =>
        addon.run(...run.slice(0, 7), repeat, vectors, perStep, weight, bias)
      const fill = { name: 'RangeError', message: /must fill h_in: Hi = 4, Ho = 2, repeat = / }
      assert.throws(() => feedback(0), fill)
      assert.throws(() => feedback(1), fill)
      assert.throws(() => feedback(3), fill)
      assert.throws(() => feedback(3, floats(100)), fill)
      assert.throws(() => feedback(2, floats(100)), fill)
      assert.throws(() => feedback(2 ** 31 - 1, floats(100)), fill)
      assert.throws(() => feedback(-1), { name: 'RangeError', message: /^repeat/ })
      assert.throws(() => feedback(1, floats(3)), { name: 'RangeError', message: /^vectors/ })
      assert.throws(() => feedback(1, floats(7), true), { name: 'RangeError', message: /^vectors/ })
      assert.throws(() => feedback(1, null), { name: 'TypeError', message: /^vectors/ })
      assert.throws(() => feedback(1, floats(8), 1), { name: 'TypeError', message: /^perStep/ })
      assert.throws(() => feedback(0, undefined, false, floats(7), floats(4)), { name: 'RangeError', message: /^projection.weight/ })
      assert.throws(() => feedback(0, undefined, false, floats(8), floats(3)), { name: 'RangeError', message: /^projection.bias/ })
      assert.throws(() => feedback(0, undefined, false, floats(8)), { name: 'TypeError', message: /^projection.bias/ })
      assert.throws(() => feedback(0, undefined, false, undefined, floats(4)), { name: 'TypeError', message: /^projection.weight/ })
      assert.throws(() => feedback(2, undefined, false, floats(8), floats(4)), /projection fills h_in alone/)
    })

    it(`may be of no rows or no steps, ${mode}`, () => {
      const addon = open(inlineBelow)
      const none = floats(0)
      assert.equal(addon.step(0, none, none, none, none, none), undefined)
      assert.equal(addon.run(...withAt(run, 0, 0)), undefined)
      assert.equal(addon.run(...withAt(run, 1, 0)), undefined)
    })
  }

  it('of an engine are checked', () => {
    for (const threads of [0, -1, 1.5, NaN, 2000]) assert.throws(() => createNativeEngine({ threads }), { name: 'RangeError', message: /^threads/ })
    assert.throws(() => createNativeEngine({ inlineBelow: -1 }), { name: 'RangeError', message: /^inlineBelow/ })
    assert.throws(() => createNativeEngine({ inlineBelow: NaN }), { name: 'RangeError', message: /^inlineBelow/ })
  })

  it('are not taken by a stepper that has been disposed of', () => {
    const addon = open(Infinity)
    addon.dispose()
    addon.dispose()
    assert.throws(() => addon.step(...step), /disposed/)
    assert.throws(() => addon.run(...run), /disposed/)
  })

  it('may be of any length past the rows', async () => {
    const stepper = createNativeEngine({ inlineBelow: Infinity }).load(randomCell(sizes, createRandom(1)))
    const hOut = floats(9)
    await stepper.step({ rows: 1, x: floats(9), hIn: floats(9), cIn: floats(9), hOut, cOut: floats(9) })
    assert.ok(hOut[0] !== 0 && hOut[1] !== 0)
    assert.ok(hOut.subarray(2).every((v) => v === 0))
  })
})
