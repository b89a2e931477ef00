import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { findAddon } from '../../src/engine/addon.ts'
import { InputError } from '../../src/errors.ts'
import { createJson } from '../../src/wire/json.ts'
import { createLargeJson, LARGE, type LargeJson } from '../../src/wire/large-json.ts'
import type { Fields, Hold } from '../../src/wire/tensor-paths.ts'
import { scaled } from '../support/full.ts'

const FIELDS: Fields = { model: 'm', known: ['x', 'h_in', 'steps', 'context'], tensors: ['x', 'h_in', 'context/vectors'] }
const DOCUMENTS = scaled(2000)
const addon = findAddon()

/** What comes of a body, and how many bytes are counted. */
async function outcome (read: (hold: Hold) => unknown): Promise<unknown> {
  let held = 0
  try {
    return { value: await read((bytes) => { held += bytes }), held }
  } catch (error) {
    if (error instanceof InputError) return { kind: error.kind, errors: error.errors, message: error.message }
    throw error
  }
}

const number = fc.oneof({ weight: 500, arbitrary: fc.float({ noNaN: true, noDefaultInfinity: true }).map(String) }, fc.constantFrom('0', '-0', '16777217', '1e-400', '0.33333333333333333333333333', '1e400', 'null', '01'))
const list = (item: fc.Arbitrary<string>, least: number, most: number): fc.Arbitrary<string> => fc.array(item, { minLength: least, maxLength: most }).map((items) => `[${items.join(',')}]`)
/** Mostly with even rows, at times ragged. */
const tensor = fc.oneof({ weight: 5, arbitrary: list(list(number, 2, 2), 1, 6) }, { weight: 3, arbitrary: list(list(list(number, 2, 2), 1, 3), 1, 4) }, list(list(number, 1, 2), 1, 3))
/** A tensor as large as the bodies that go to the thread, made of few rows. */
const large = fc.tuple(list(list(number, 2, 2), 1, 6), fc.integer({ min: -600, max: 600 })).map(([rows, more]) => {
  const row = `,${rows.slice(1, -1)}`
  return `[${row.repeat(Math.ceil((LARGE + more) / row.length)).slice(1)}]`
})
const plain = fc.oneof(fc.json({ maxDepth: 3 }), fc.constantFrom('2', '"\\u0078"', '{"constructor":{}}', '{"__pr\\u006fto__":1}', '"\u00e9"', '[[[[', '}}'))
const member = fc.oneof(
  { weight: 6, arbitrary: large.map((text) => `"x":${text}`) }, { weight: 3, arbitrary: tensor.map((text) => `"h_in":${text}`) }, { weight: 2, arbitrary: tensor.map((text) => `"context":{"vectors":${text}}`) },
  plain.map((text) => `"context":${text}`), plain.map((text) => `"steps":${text}`), plain.map((text) => `"y":${text}`)
)
const edit = fc.option(fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), drop: fc.integer({ min: 0, max: 2 }), insert: fc.constantFrom('', ',', '[', ']', '}', '"', 'e', '\\') }), { freq: 3 })
const body = fc.tuple(fc.uniqueArray(member, { minLength: 1, maxLength: 4, selector: (text) => text.slice(0, 4) }), edit).map(([members, edited]) => {
  const bytes = Buffer.from(`{${members.join(',')}}`)
  if (edited === null) return bytes
  // Mostly near the end, which is read last.
  const at = Math.floor((1 - edited.at ** 4) * bytes.length)
  return Buffer.concat([bytes.subarray(0, at), Buffer.from(edited.insert), bytes.subarray(at + edited.drop)])
})

async function assertSame (large: LargeJson, read: (body: Buffer, hold: Hold) => unknown, bytes: Buffer): Promise<unknown> {
  const expected = await outcome((hold) => read(bytes, hold))
  const copy = Buffer.from(bytes)
  const got = await outcome(async (hold) => {
    const { value, body } = await large.read(copy, FIELDS, hold)
    assert.ok(body.equals(bytes), 'the body comes back as it was')
    return value
  })
  assert.deepEqual(got, expected, bytes.toString('latin1').slice(-200))
  return expected
}

for (const [name, own] of [['without the addon', undefined], ...(addon === undefined ? [] : [['with the addon', addon] as const])] as const) {
  describe(`large JSON, ${name}`, () => {
    test(`${DOCUMENTS} documents of any size, valid and not, are read in the thread as they are on the event loop`, async (t) => {
      const large = createLargeJson()
      t.after(() => large.close())
      const before = process.env.TEST_NO_ADDON
      // The thread has the environment of the moment at which it starts.
      if (own === undefined) process.env.TEST_NO_ADDON = '1'
      const read = createJson(own).reader(FIELDS)
      await assertSame(large, read, Buffer.from('{"x":[[1,2]]}'))
      if (before === undefined) delete process.env.TEST_NO_ADDON
      else process.env.TEST_NO_ADDON = before
      let accepted = 0
      await fc.assert(fc.asyncProperty(body, async (bytes) => {
        accepted += Number(Object.hasOwn(Object(await assertSame(large, read, bytes)), 'value'))
      }), { numRuns: DOCUMENTS, seed: 3 })
      assert.ok(accepted > DOCUMENTS / 4 && accepted < DOCUMENTS * 0.9, `${accepted} were accepted`)
    })
  })
}

test('a body that is a part of other memory leaves the rest of it where it is', async (t) => {
  const large = createLargeJson()
  t.after(() => large.close())
  const memory = Buffer.alloc(2 ** 20, ' ')
  memory.write('{"steps":2}')
  assert.deepEqual((await large.read(memory.subarray(0, LARGE), FIELDS, () => {})).value, { steps: 2 })
  assert.equal(memory.length, 2 ** 20)
})

test('bodies are read in the order in which they come; one whose request is over is not read, and a thread that ends fails one alone', async (t) => {
  const large = createLargeJson()
  t.after(() => large.close())
  const order: number[] = []
  const read = async (i: number, hold: Hold = () => {}, numbers = 1): Promise<void> => {
    await large.read(Buffer.from(`{"x":[${'0,'.repeat(numbers)}${i}]}`), FIELDS, hold)
    order.push(i)
  }
  const over = new InputError('gone', { path: '', message: 'the request is over' })
  let asked = 0
  const first = read(0)
  const refused = assert.rejects(read(1, () => {
    asked++
    throw over
  }), over)
  const ended = assert.rejects(read(2, () => {}, 2 ** 24), /^Error: the thread json-thread has ended$/)
  const last = read(3)
  await Promise.all([first, refused])
  await large.close()
  await ended
  await last
  assert.deepEqual([order, asked], [[0, 3], 1])
})
