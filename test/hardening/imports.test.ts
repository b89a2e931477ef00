import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { ImportError } from '../../src/cli/import/import-error.ts'
import { importModel } from '../../src/cli/import/import.ts'
import { createDice, type Dice } from '../support/dice.ts'
import { onlyFull, scaled, some } from '../support/full.ts'
import { writeModels } from '../support/models.ts'

const FIXTURES = 'test/fixtures/import'
/** How many of each kind; HDF5 takes a process each, and is for the full suite. */
const MANY = scaled(2000, 100)
const FEW = 60

/** What is spoilt, with the files beside it. */
const KINDS: Readonly<Record<string, { readonly count: number, readonly files?: readonly string[] }>> = {
  'functional.keras': { count: FEW },
  'stack.h5': { count: FEW },
  'tfjs-both/model.json': { count: MANY, files: ['group1-shard1of2.bin', 'group1-shard2of2.bin'] },
  'stack.onnx': { count: MANY },
  'beside.onnx': { count: MANY, files: ['beside.data'] }
}

/** A file is imported, or refused in one line, soon; then nothing is written. */
async function attempt (path: string, out: string): Promise<'imported' | 'refused'> {
  const from = performance.now()
  try {
    await importModel(path, out, 'm')
    await rm(out, { recursive: true })
    return 'imported'
  } catch (error) {
    assert.ok(error instanceof ImportError, `${error instanceof Error ? error.stack : String(error)}`)
    assert.match(error.message, /^[^\n]+$/)
    assert.ok(error.message.length < 2000, error.message)
    assert.doesNotMatch(error.message, /is not a function|Cannot read|is not iterable|call stack|undefined/)
    assert.deepEqual(await readdir(dirname(out)).then((names) => names.filter((name) => name === 'out')), [], 'nothing is written')
    return 'refused'
  } finally {
    const took = performance.now() - from
    assert.ok(took < 20_000, `took ${took} ms`)
  }
}

function spoil (good: Buffer, dice: Dice): Buffer {
  let file = Buffer.from(good)
  for (let edits = 1 + dice.below(4); edits > 0 && file.length > 0; edits--) {
    const at = dice.below(file.length)
    const way = dice.below(6)
    if (way === 0 && dice.chance(0.3)) file = file.subarray(0, at)
    else if (way === 1) file.fill(0xff, at, Math.min(file.length, at + dice.below(9)))
    else if (way === 2) file.copy(file, at, dice.below(file.length), dice.below(file.length))
    else if (way === 3) file = Buffer.concat([file.subarray(0, at), Buffer.from(String(dice.pick([0, -1, 1e9, 2 ** 31, 2 ** 53]))), file.subarray(at)])
    else file[at] = dice.below(256)
  }
  return file
}

for (const [kind, { count, files = [] }] of Object.entries(KINDS)) {
  test(`${count} spoilt copies of ${kind}: each is imported, or refused in one line, and nothing is left`, /\.(h5|keras)$/.test(kind) ? onlyFull('starts processes') : {}, async (t) => {
    const folder = await writeModels(t, Object.fromEntries(files.map((file) => [file, readFileSync(join(FIXTURES, dirname(kind), file))])))
    const good = readFileSync(join(FIXTURES, kind))
    const path = join(folder, kind.split('/').at(-1) ?? '')
    const dice = createDice(7)
    const counts = { imported: 0, refused: 0 }
    for (let n = 0; n < count; n++) {
      await writeFile(path, spoil(good, dice))
      counts[await attempt(path, join(folder, 'out'))]++
    }
    t.diagnostic(JSON.stringify(counts))
    assert.ok(counts.refused > count / 10, JSON.stringify(counts))
  })
}

test('a file that ends anywhere is refused in one line', async (t) => {
  const folder = await writeModels(t, {})
  for (const kind of some(['stack.onnx', 'tfjs-stack/model.json', 'stack.keras', 'stack.h5'])) {
    const good = readFileSync(join(FIXTURES, kind))
    const path = join(folder, kind.split('/').at(-1) ?? '')
    for (const part of some([0.1, 0.9, 0, 0.001, 0.01, 0.5, 0.99])) {
      await writeFile(path, good.subarray(0, Math.floor(part * good.length)))
      assert.equal(await attempt(path, join(folder, 'out')), 'refused', `${kind} ${part}`)
    }
  }
})

/** A zip archive of files that are compressed, or say so. */
function zip (files: Readonly<Record<string, { data: Buffer, size: number, method: number }>>): Buffer {
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const [name, { data, size, method }] of Object.entries(files)) {
    const head = Buffer.alloc(26)
    head.writeUInt16LE(20, 0)
    head.writeUInt16LE(method, 4)
    head.writeUInt32LE(data.length, 14)
    head.writeUInt32LE(size, 18)
    head.writeUInt16LE(name.length, 22)
    const entry = Buffer.alloc(16)
    entry.writeUInt32LE(at, 12)
    directory.push(Buffer.from('PK\x01\x02\x14\x00', 'latin1'), head, entry.subarray(2), Buffer.from(name))
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), head, Buffer.from(name), data])
    parts.push(local)
    at += local.length
  }
  const central = Buffer.concat(directory)
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(Object.keys(files).length, 8)
  end.writeUInt16LE(Object.keys(files).length, 10)
  end.writeUInt32LE(central.length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...parts, central, end])
}

test('a zip bomb is refused before it is unpacked, whether or not it says its size', async (t) => {
  const folder = await writeModels(t, {})
  const big = deflateRawSync(Buffer.alloc(2 ** 26))
  const config = { data: Buffer.from('{}'), size: 2, method: 0 }
  for (const [size, words] of [[2 ** 26, /model\.weights\.h5 declares 67108864 bytes/], [100, /too many bytes in the stream/]] as const) {
    const path = join(folder, 'bomb.keras')
    await writeFile(path, zip({ 'config.json': config, 'metadata.json': config, 'model.weights.h5': { data: big, size, method: 8 } }))
    await assert.rejects(importModel(path, join(folder, 'out'), 'm'), { name: 'ImportError', message: words })
  }
})

test('lengths of gigabytes in a protobuf are refused as such', async (t) => {
  const folder = await writeModels(t, {})
  const path = join(folder, 'm.onnx')
  for (const bytes of [
    [0x3a, 0xff, 0xff, 0xff, 0xff, 0x07],
    [0x3a, 0x06, 0x2a, 0x80, 0x80, 0x80, 0x80, 0x08],
    [0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]
  ]) {
    await writeFile(path, Buffer.from(bytes))
    assert.equal(await attempt(path, join(folder, 'out')), 'refused')
  }
})

test('JSON that is nested too deeply is refused in one line', async (t) => {
  const folder = await writeModels(t, {})
  await mkdir(join(folder, 'deep'))
  const path = join(folder, 'deep/model.json')
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  const layer = `{"class_name": "LSTM", "config": {}, "inbound_nodes": ${deep}}`
  await writeFile(path, `{"modelTopology": {"class_name": "Model", "config": {"layers": [${layer}], "output_layers": ${deep}}}, "weightsManifest": []}`)
  assert.equal(await attempt(path, join(folder, 'out')), 'refused')
})
