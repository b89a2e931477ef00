import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Client, Problem, type SequenceRequest } from '../../../clients/typescript/src/client.ts'
import { readSafetensors, writeSafetensors } from '../../../clients/typescript/src/safetensors.ts'
import { toTensor } from '../../../clients/typescript/src/tensor.ts'
import { parseSafetensors, writeSafetensors as writeParts, type StoredTensor } from '../../../src/tensor/safetensors.ts'
import { buildTestApp } from '../../support/app.ts'
import { scaled } from '../../support/full.ts'

const WIDTH: Readonly<Record<string, number>> = { F32: 4, I32: 4, I64: 8, U8: 1 }

const stored: fc.Arbitrary<StoredTensor> = fc.record({ dtype: fc.constantFrom(...Object.keys(WIDTH)), shape: fc.array(fc.nat(4), { maxLength: 3 }) }).chain(({ dtype, shape }) => {
  const length = shape.reduce((product, size) => product * size, WIDTH[dtype])
  return fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => ({ dtype, shape, bytes }))
})
const documents = fc.uniqueArray(fc.tuple(fc.string({ unit: 'grapheme' }).filter((name) => name !== '__proto__' && name !== '__metadata__' && !/^\d+$/.test(name)), stored), { selector: ([name]) => name, maxLength: 5 })

function plain (tensors: Iterable<readonly [string, StoredTensor]>): unknown {
  return [...tensors].map(([name, { dtype, shape, bytes }]) => [name, dtype, [...shape], [...bytes]])
}

test('what the client writes the service reads, and what the service writes the client reads', () => {
  fc.assert(fc.property(documents, (tensors) => {
    const document = writeSafetensors(tensors)
    assert.deepEqual(plain(parseSafetensors(document)), plain(tensors))
    // The same bytes, in parts.
    const parts = Buffer.concat(writeParts(tensors))
    assert.deepEqual([...parts], [...document])
    assert.deepEqual(plain(readSafetensors(new Uint8Array(parts).buffer)), plain(tensors))
  }), { numRuns: scaled(1000) })
})

test('what is no document is an error, and never another answer', () => {
  fc.assert(fc.property(documents, fc.nat(200), fc.nat(255), (tensors, at, byte) => {
    const document = writeSafetensors(tensors)
    document[at % document.length] = byte
    try {
      for (const [, { bytes }] of readSafetensors(document.buffer)) assert.ok(bytes.byteLength <= document.byteLength)
    } catch (error) {
      assert.ok(error instanceof RangeError || error instanceof SyntaxError || error instanceof TypeError, String(error))
    }
  }), { numRuns: scaled(1000) })
})

const numbers = fc.float({ noNaN: true, noDefaultInfinity: true, min: -8, max: 8 })
const nested = (...[first, ...rest]: readonly number[]): fc.Arbitrary<unknown[]> => fc.array<unknown>(rest.length > 0 ? nested(...rest) : numbers, { minLength: first, maxLength: first })

test('nested arrays and their tensor are the same, and ragged ones are none', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }).chain((shape) => fc.tuple(fc.constant(shape), nested(...shape))), ([shape, arrays]) => {
    const tensor = toTensor(arrays)
    assert.ok(tensor !== undefined)
    assert.deepEqual([[...tensor.shape], tensor.nested()], [shape, arrays])
    assert.deepEqual(toTensor({ data: tensor.data, shape: tensor.shape }), tensor)
    const [first] = arrays
    if (Array.isArray(first)) assert.equal(toTensor([...arrays, [...first, first[0]]]), undefined)
    assert.equal(toTensor([...arrays, 'text']), undefined)
  }), { numRuns: scaled(1000) })
})

/** Requests of custom-lstm, some of them wrong. */
const requests = fc.record({ B: fc.integer({ min: 1, max: 3 }), T: fc.integer({ min: 1, max: 4 }), wrong: fc.boolean() }).chain(({ B, T, wrong }) => {
  const width = (right: number): number => wrong ? right + 1 : right
  return fc.record({
    x: nested(B, T, 2),
    h_in: nested(B, 6),
    c_in: nested(B, width(3)),
    lengths: fc.array(fc.integer({ min: wrong ? -1 : 1, max: T }), { minLength: B, maxLength: B }),
    return_sequences: fc.boolean(),
    fields: fc.subarray(['output', 'h_out', 'c_out', 'h_next'], { minLength: 1 }),
    state: fc.constant(true)
  }, { requiredKeys: ['x'] })
})

test('a request has one answer, whichever way its tensors travel', async (t) => {
  const { listeningOrigin } = await buildTestApp(t)
  const ask = async (format: 'safetensors' | 'json', request: SequenceRequest): Promise<unknown> => {
    try {
      return await new Client(listeningOrigin, { format }).model('custom-lstm').sequence({ ...request, fields: undefined })
    } catch (error) {
      assert.ok(error instanceof Problem, String(error))
      return [error.status, error.errors]
    }
  }
  await fc.assert(fc.asyncProperty(requests, async (request) => {
    const untyped: object = request
    const [one, other] = await Promise.all([ask('safetensors', untyped), ask('json', untyped)])
    assert.deepEqual(one, other)
  }), { numRuns: scaled(300) })
})
