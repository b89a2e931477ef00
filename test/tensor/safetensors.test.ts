import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DTYPE_BITS } from '../../src/tensor/dtypes.ts'
import { parseSafetensors, SafetensorsError } from '../../src/tensor/safetensors.ts'
import { scaled } from '../support/full.ts'
import { f32, writeRaw, writeSafetensors, type Written } from '../support/safetensors.ts'

const LAYOUTS = scaled(5000)
const FILES = scaled(20_000)

test('tensors come back as they were written', () => {
  const file = writeSafetensors({ a: f32([2, 3], [1, 2, 3, 4, 5, 6]), scalar: f32([], [7]), nothing: f32([0, 4], []) }, { format: 'pt' })
  const tensors = parseSafetensors(file)
  assert.deepEqual([...tensors.keys()], ['a', 'scalar', 'nothing'])
  const { dtype, shape, bytes } = tensors.get('a') ?? assert.fail()
  assert.deepEqual({ dtype, shape, bytes: bytes.byteLength }, { dtype: 'F32', shape: [2, 3], bytes: 24 })
  assert.equal(new DataView(bytes.buffer, bytes.byteOffset).getFloat32(8, true), 3)
  assert.deepEqual(tensors.get('scalar')?.shape, [])
  assert.equal(tensors.get('nothing')?.bytes.byteLength, 0)
})

test('every dtype of the format is known', () => {
  for (const [dtype, bits] of Object.entries(DTYPE_BITS)) {
    const file = writeSafetensors({ t: { dtype, shape: [8], bytes: new Uint8Array(bits) } })
    assert.equal(parseSafetensors(file).get('t')?.bytes.byteLength, bits)
  }
})

test('a header may be padded with spaces, and tensors may lie in any order', () => {
  const header = JSON.stringify({
    b: { dtype: 'U8', shape: [2], data_offsets: [1, 3] },
    a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] }
  })
  assert.deepEqual(parseSafetensors(writeRaw(`${header}     `, Uint8Array.of(1, 2, 3))).get('b')?.bytes, Uint8Array.of(2, 3))
})

test('strings that look like keys are no duplicate keys', () => {
  const metadata = { 'a": "b': ':', ':x': '", "y":', '\\': '\\"', comma: 'v', ':z': 'w', format: '{"format": "pt"}' }
  assert.equal(parseSafetensors(writeSafetensors({ 'k": ': f32([1], [1]) }, metadata)).size, 1)
})

test('a tensor may be named as a key of every object', () => {
  const file = writeRaw('{"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"constructor":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}', new Uint8Array(2))
  assert.deepEqual([...parseSafetensors(file).keys()], ['__proto__', 'constructor'])
})

test('a long string in the metadata is read as any other', () => {
  assert.equal(parseSafetensors(writeSafetensors({ a: f32([1], [1]) }, { long: 'x"'.repeat(scaled(10_000_000, 10)) })).size, 1)
})

test('tensors of no bytes may lie before, between and after the others', () => {
  const header = JSON.stringify({
    before: { dtype: 'F32', shape: [0], data_offsets: [0, 0] },
    a: { dtype: 'U8', shape: [2], data_offsets: [0, 2] },
    between: { dtype: 'F32', shape: [3, 0], data_offsets: [2, 2] },
    b: { dtype: 'U8', shape: [1], data_offsets: [2, 3] },
    after: { dtype: 'F32', shape: [0], data_offsets: [3, 3] }
  })
  assert.equal(parseSafetensors(writeRaw(header, new Uint8Array(3))).size, 5)
})

test('an empty header is a file without tensors', () => {
  assert.equal(parseSafetensors(writeRaw('{}')).size, 0)
})

const entry = (over: object): string => JSON.stringify({ t: { dtype: 'F32', shape: [1], data_offsets: [0, 4], ...over } })
const four = new Uint8Array(4)
const deep = '['.repeat(100_000) + ']'.repeat(100_000)

const BROKEN: ReadonlyArray<[name: string, file: Uint8Array, message: RegExp]> = [
  ['an empty file', new Uint8Array(0), /has 0 bytes, fewer than the 8/],
  ['a file of seven bytes', new Uint8Array(7), /has 7 bytes/],
  ['a header past the end', Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0, 0x7b), /header of 9 bytes, but has only 1/],
  ['a header past all bounds', new Uint8Array(16).fill(255), /header of 18446744073709551615 bytes, more than/],
  ['a header that starts with a space', writeRaw(' {}'), /does not start with \{/],
  ['a header of nothing', writeRaw(''), /does not start with \{/],
  ['a header that is not UTF-8', writeRaw(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d)), /not UTF-8/],
  ['a header that is not JSON', writeRaw('{"t":'), /not JSON/],
  ['a header with something behind it', writeRaw('{} x'), /not JSON/],
  ['two tensors of one name', writeRaw('{"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"t":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), /duplicate keys/],
  ['two dtypes of one tensor', writeRaw('{"t":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}}'), /duplicate keys/],
  ['duplicate keys, one escaped', writeRaw('{"__metadata__":{"a":"1","\\u0061":"2"}}'), /duplicate keys/],
  ['metadata that are no strings', writeRaw('{"__metadata__":{"a":1}}'), /__metadata__ that is not an object of strings/],
  ['metadata that are a list', writeRaw('{"__metadata__":[]}'), /__metadata__/],
  ['metadata that are null', writeRaw('{"__metadata__":null}'), /__metadata__/],
  ['metadata nested 100,000 deep', writeRaw(`{"__metadata__":{"a":${deep}}}`), /__metadata__ that is not an object of strings/],
  ['an entry nested 100,000 deep', writeRaw(`{"t":${deep}}`), /tensor "t": unknown field "0"/],
  ['a dtype nested 100,000 deep', writeRaw(`{"t":{"dtype":${deep},"shape":[1],"data_offsets":[0,4]}}`, four), /unknown dtype \[ \[Array\] \]/],
  ['a shape nested 100,000 deep', writeRaw(`{"t":{"dtype":"F32","shape":${deep},"data_offsets":[0,4]}}`, four), /its shape is not an array of sizes: \[ \[Array\] \]/],
  ['offsets nested 100,000 deep', writeRaw(`{"t":{"dtype":"F32","shape":[1],"data_offsets":${deep}}}`, four), /data_offsets are not two offsets: \[ \[Array\] \]/],
  ['a shape of a million sizes and a wrong one', writeRaw(entry({ shape: [...new Array(1_000_000).fill(1), -1] }), four), /its shape is not .{1,80}$/],
  ['a missing shape', writeRaw(entry({ shape: undefined }), four), /its shape is not an array of sizes: undefined/],
  ['missing offsets', writeRaw(entry({ data_offsets: undefined }), four), /data_offsets are not two offsets: undefined/],
  ['a negative offset', writeRaw(entry({ data_offsets: [-4, 0] }), four), /data_offsets are not two offsets/],
  ['three offsets', writeRaw(entry({ data_offsets: [0, 4, 4] }), four), /data_offsets are not two offsets/],
  ['a tensor of no bytes inside another', writeRaw(JSON.stringify({
    a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
    b: { dtype: 'F32', shape: [0], data_offsets: [2, 2] }
  }), four), /tensor "b": overlaps another tensor at byte 2/],
  ['data without a tensor', writeRaw('{}', four), /4 bytes after its last tensor/],
  ['an entry that is no object', writeRaw('{"t":1}'), /tensor "t": its header entry is not an object/],
  ['an unknown field', writeRaw(entry({ colour: 1 }), four), /tensor "t": unknown field "colour"/],
  ['an unknown dtype', writeRaw(entry({ dtype: 'F31' }), four), /tensor "t": unknown dtype 'F31'/],
  ['a dtype from the prototype', writeRaw(entry({ dtype: 'toString' }), four), /unknown dtype 'toString'/],
  ['a missing dtype', writeRaw(entry({ dtype: undefined }), four), /unknown dtype undefined/],
  ['a shape that is no list', writeRaw(entry({ shape: 1 }), four), /its shape is not an array of sizes: 1/],
  ['a negative size', writeRaw(entry({ shape: [-1] }), four), /its shape is not/],
  ['half a size', writeRaw(entry({ shape: [0.5] }), four), /its shape is not/],
  ['a size beyond counting', writeRaw(entry({ shape: [2 ** 53] }), four), /its shape is not/],
  ['a shape whose product overflows', writeRaw(entry({ shape: [2 ** 40, 2 ** 40] }), four), /takes .* bytes/],
  ['one offset', writeRaw(entry({ data_offsets: [0] }), four), /data_offsets are not two offsets/],
  ['offsets the wrong way', writeRaw(entry({ data_offsets: [4, 0] }), four), /not in the file's 4 bytes/],
  ['an offset past the end', writeRaw(entry({ data_offsets: [0, 8], shape: [2] }), four), /not in the file's 4 bytes/],
  ['a size that is not the shape\'s', writeRaw(entry({ shape: [2] }), four), /F32 of shape \[2\] takes 8 bytes, its data_offsets \[0, 4\] hold 4/],
  ['bits that do not fill bytes', writeRaw(entry({ dtype: 'F4', shape: [7] }), four), /takes 3.5 bytes/],
  ['bytes after the last tensor', writeRaw(entry({}), four, four), /4 bytes after its last tensor/],
  ['a gap', writeRaw(entry({ data_offsets: [4, 8] }), four, four), /gap before tensor "t": bytes 0 to 4/],
  ['an overlap', writeRaw(JSON.stringify({
    a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] },
    b: { dtype: 'F32', shape: [1], data_offsets: [2, 6] }
  }), new Uint8Array(6)), /tensor "b": overlaps another tensor at byte 2/]
]

for (const [name, file, message] of BROKEN) {
  test(`${name} is refused`, () => {
    assert.throws(() => parseSafetensors(file), (error) => {
      assert.ok(error instanceof SafetensorsError)
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /\n/)
      return true
    })
  })
}

test('headers that just violate the rules are rejected, and those within them are read', () => {
  // A chain of tensors, each number of which may be one too many or too few.
  const off = fc.oneof({ arbitrary: fc.constant(0), weight: 20 }, { arbitrary: fc.constantFrom(-1, 1), weight: 1 })
  const tensor = fc.record({ dtype: fc.constantFrom('U8', 'F16', 'F4'), shape: fc.array(fc.nat({ max: 3 }), { maxLength: 2 }), begin: off, end: off })
  const seen = { valid: 0, invalid: 0 }
  fc.assert(fc.property(fc.array(tensor, { maxLength: 4 }), off, fc.boolean(), (chain, more, backwards) => {
    let at = 0
    const placed = chain.map(({ dtype, shape, begin, end }, i) => {
      const bytes = shape.reduce((a, b) => a * b, 1) * DTYPE_BITS[dtype] / 8
      const from = at
      at += Math.ceil(bytes)
      return { name: `t${i}`, dtype, shape, bytes, begin: from + begin, end: at + end }
    })
    const available = Math.max(0, at + more)
    const covered = new Array(available).fill(0)
    for (const { begin, end } of placed) for (let i = begin; i < end; i++) covered[i] = (covered[i] ?? 0) + 1
    const valid = covered.length === available && covered.every((count) => count === 1) &&
      placed.every(({ begin, end, bytes }) => begin >= 0 && end - begin === bytes && (bytes > 0 || begin === 0 || placed.some((other) => other.bytes > 0 && other.end === begin)))
    const listed = backwards ? placed.toReversed() : placed
    const file = writeRaw(JSON.stringify(Object.fromEntries(listed.map(({ name, dtype, shape, begin, end }) => [name, { dtype, shape, data_offsets: [begin, end] }]))), new Uint8Array(available))
    seen[valid ? 'valid' : 'invalid']++
    if (!valid) {
      assert.throws(() => parseSafetensors(file), SafetensorsError)
      return
    }
    const tensors = parseSafetensors(file)
    assert.equal(tensors.size, placed.length)
    for (const { name, dtype, shape, begin, end } of placed) {
      const read = tensors.get(name) ?? assert.fail(name)
      assert.deepEqual([read.dtype, read.shape, read.bytes.byteOffset, read.bytes.byteLength], [dtype, shape, file.byteLength - available + begin, end - begin])
    }
  }), { numRuns: LAYOUTS })
  assert.ok(seen.valid > LAYOUTS / 10 && seen.invalid > LAYOUTS / 10, JSON.stringify(seen))
})

/** The rules of the format, written independently of the reader. */
function obeysTheRules (file: Uint8Array): boolean {
  const length = Number(Buffer.from(file).readBigUInt64LE())
  const header: Record<string, { dtype: string, shape: number[], data_offsets: [number, number] }> = JSON.parse(Buffer.from(file.subarray(8, 8 + length)).toString())
  const covered = new Uint8Array(file.byteLength - 8 - length)
  for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries(header)) {
    if (name === '__metadata__') continue
    if (end - begin !== shape.reduce((a, b) => a * b, 1) * DTYPE_BITS[dtype] / 8) return false
    for (let i = begin; i < end; i++) covered[i]++
  }
  return covered.every((count) => count === 1)
}

test('a file with anything changed is refused, or obeys every rule still', () => {
  const tensor = fc.record({ dtype: fc.constantFrom('F32', 'F16', 'BF16', 'U8'), shape: fc.array(fc.nat({ max: 4 }), { maxLength: 3 }) })
    .map(({ dtype, shape }): Written => ({ dtype, shape, bytes: new Uint8Array(shape.reduce((a, b) => a * b, 1) * DTYPE_BITS[dtype] / 8) }))
  const file = fc.dictionary(fc.string({ maxLength: 5 }).filter((name) => name !== '__metadata__' && name !== '__proto__'), tensor, { maxKeys: 4 }).map((tensors) => writeSafetensors(tensors))
  const digits = Buffer.from('0123456789[]{},:"- FU')
  const change = fc.oneof(
    fc.record({ kind: fc.constant('set' as const), at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) }),
    fc.record({ kind: fc.constant('set' as const), at: fc.nat(), byte: fc.constantFrom(...digits) }),
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), byte: fc.constant(0) }),
    fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), byte: fc.constantFrom(...digits) })
  )
  let accepted = 0
  fc.assert(fc.property(file, fc.array(change, { maxLength: 3 }), (original, changes) => {
    let bytes = Buffer.from(original)
    for (const { kind, at, byte } of changes) {
      const i = at % (bytes.byteLength + 1)
      if (kind === 'cut') bytes = bytes.subarray(0, i)
      else bytes = Buffer.concat([bytes.subarray(0, i), Uint8Array.of(byte), bytes.subarray(kind === 'set' ? i + 1 : i)])
    }
    try {
      parseSafetensors(bytes)
    } catch (error) {
      assert.ok(error instanceof SafetensorsError, String(error))
      assert.ok(changes.length > 0, 'an unchanged file is accepted')
      return
    }
    accepted++
    assert.ok(obeysTheRules(bytes))
  }), { numRuns: FILES })
  assert.ok(accepted > FILES / 20, `${accepted} files were accepted`)
})
