import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { parquetReadObjects, type SchemaElement } from 'hyparquet'
import { ByteWriter, parquetWriteBuffer, ParquetWriter } from 'hyparquet-writer'
import type { Format } from '../../../src/cli/encode/formats.ts'
import { runEncode } from '../../../src/cli/encode/encode.ts'
import { PRECISIONS } from '../../../src/network/precision.ts'
import { decodeFloats, decodeIntegers } from '../../../src/tensor/dtypes.ts'
import { parseSafetensors } from '../../../src/tensor/safetensors.ts'
import { buildTestApp } from '../../support/app.ts'
import { createDice } from '../../support/dice.ts'
import { FULL, onlyFull, scaled, some as firstOf } from '../../support/full.ts'
import { overflowingModels, spellerModels } from '../../support/models.ts'
import { start } from '../../support/process.ts'
import { f32, writeSafetensors, type Written } from '../../support/safetensors.ts'

/** Numbers of a row, from -1 to 1, as float32. */
const some = (count: number, seed: number): number[] => Array.from({ length: count }, (_, i) => Math.fround(Math.sin(seed * 31 + i * 7)))
const chunk = (numbers: readonly number[], width: number): number[][] => Array.from({ length: numbers.length / width }, (_, t) => numbers.slice(t * width, (t + 1) * width))

/** Steps of each of the sequences. */
const LENGTHS = [3, 1, 7, 2, 2, 9, 1]
/** `[T][2]` of each: the default demo model reads two. */
const ROWS = LENGTHS.map((length, i) => chunk(some(2 * length, i), 2))
const FIELDS = ['h_out', 'output'] as const

function i32 (shape: readonly number[], values: readonly number[]): Written {
  return { dtype: 'I32', shape, bytes: new Uint8Array(Int32Array.from(values).buffer) }
}

async function folderOf (t: Pick<TestContext, 'after'>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

const encode = async (...args: readonly string[]): Promise<number> => await runEncode([...args, '--quiet'], process.env)

/** The same sequences in each of the formats. */
const WRITE: Readonly<Record<Format, () => string | Uint8Array>> = {
  ndjson: () => ROWS.map((x, i) => JSON.stringify({ id: `r${i}`, x })).join('\n'),
  csv: () => `id,a,b\n${ROWS.flatMap((x, i) => x.map((step) => `r${i},${step.join(',')}`)).join('\r\n')}\n`,
  safetensors: () => writeSafetensors({ x: f32([LENGTHS.reduce((a, b) => a + b), 2], ROWS.flat(2)), lengths: i32([LENGTHS.length], LENGTHS) }),
  parquet: () => {
    const writer = new ByteWriter()
    const list = (name: string, inner: readonly SchemaElement[]): SchemaElement[] => [
      { name, converted_type: 'LIST', num_children: 1, repetition_type: 'REQUIRED' }, { name: 'list', num_children: 1, repetition_type: 'REPEATED' }, ...inner
    ]
    const parquet = new ParquetWriter({
      writer,
      schema: [{ name: 'root', num_children: 2 }, { name: 'id', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }, ...list('x', list('element', [{ name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' }]))]
    })
    void parquet.write({ columnData: [{ name: 'id', data: ROWS.map((_, i) => `r${i}`) }, { name: 'x', data: ROWS }], rowGroupSize: 3 })
    void parquet.finish()
    return writer.getBytes()
  }
}

/** What an answers' file says, by row: `[Ho]` of h_out, and all numbers of output. */
const READ: Readonly<Record<Format, (bytes: Buffer) => Promise<Array<Record<'h_out' | 'output', number[]>>>>> = {
  ndjson: async (bytes) => bytes.toString().trimEnd().split('\n').map((line) => {
    const { h_out: h, output } = JSON.parse(line)
    return { h_out: h, output: output.flat() }
  }),
  csv: async (bytes) => bytes.toString().trimEnd().split('\n').slice(1).map((line) => {
    const numbers = line.split(',').slice(1).map(Number)
    return { h_out: numbers.slice(0, 3), output: numbers.slice(3) }
  }),
  safetensors: async (bytes) => {
    const tensors = parseSafetensors(bytes)
    const numbers = (name: string): number[] => [...decodeFloats('F32', tensors.get(name)?.bytes ?? assert.fail(name)) ?? []]
    const [h, output] = [chunk(numbers('h_out'), 3), chunk(numbers('output'), 3)]
    const lengths = tensors.get('lengths')
    if (lengths === undefined) return h.map((each, i) => ({ h_out: each, output: output[i] }))
    let at = 0
    return (decodeIntegers('I64', lengths.bytes) ?? []).map((length, i) => {
      at += length
      return { h_out: h[i], output: output.slice(at - length, at).flat() }
    })
  },
  parquet: async (bytes) => {
    const file = new Uint8Array(bytes).buffer
    return (await parquetReadObjects({ file })).map((row) => ({ h_out: [...row.h_out], output: row.output.flat() }))
  }
}

describe('encode answers what the service answers', () => {
  /** What the service answers each row, by whether every step is asked for. */
  const answers = new Map<boolean, Array<Record<'h_out' | 'output', number[]>>>()
  before(async () => {
    const app = await buildTestApp({ after })
    for (const sequences of [false, true]) {
      answers.set(sequences, await Promise.all(ROWS.map(async (x) => {
        const { h_out: h, output } = (await app.inject({ method: 'POST', url: '/models/custom-lstm/sequence', body: { x, return_sequences: sequences, fields: FIELDS } })).json()
        return { h_out: h.map(Math.fround), output: output.flat().map(Math.fround) }
      })))
    }
  })

  for (const from of ['ndjson', 'csv', 'safetensors', 'parquet'] as const) {
    for (const to of ['ndjson', 'csv', 'safetensors', 'parquet'] as const) {
      // Each source and each sink; all pairs take longer.
      if (!FULL && from !== to) continue
      // CSV has either one line per row or one line per step.
      for (const sequences of to === 'csv' ? [false] : [false, true]) {
        test(`${from} to ${to}${sequences ? ', every step' : ''}`, async (t) => {
          const folder = await folderOf(t)
          const [input, output] = [join(folder, `in.${from}`), join(folder, `out.${to}`)]
          await writeFile(input, WRITE[from]())
          assert.equal(await encode('custom-lstm', '--in', input, '--out', output, '--fields', FIELDS.join(','), ...sequences ? ['--return-sequences'] : []), 0)
          const read = await READ[to](await readFile(output))
          assert.deepEqual(read.map((row) => ({ h_out: row.h_out.map(Math.fround), output: row.output.map(Math.fround) })), answers.get(sequences))
        })
      }
    }
  }
})

/** What is said on standard error. */
async function failureOf (t: TestContext, ...args: readonly string[]): Promise<string> {
  let said = ''
  const write = t.mock.method(process.stderr, 'write', (text: string) => {
    said += text
    return true
  })
  try {
    assert.equal(await encode(...args), 1)
  } finally {
    write.mock.restore()
  }
  assert.match(said, /^cellserve: [^\n]*\n$/)
  return said.slice('cellserve: '.length, -1)
}

test('contexts, parts and states of rows go through together, as the service answers each', async (t) => {
  const folder = await folderOf(t)
  const [input, output] = [join(folder, 'in.ndjson'), join(folder, 'out.ndjson')]
  const app = await buildTestApp(t)
  const { widths } = (await app.inject('/models/attention-decoder')).json()
  assert.ok(widths.sequence_x > 0)
  const rows = LENGTHS.map((length, i) => ({
    x: chunk(some(length * widths.sequence_x, i), widths.sequence_x),
    ...(i % 2 === 0 && { c_in: some(widths.c, i) }),
    context: { support: chunk(some((1 + i % 3) * 4, i + 9), 4) }
  }))
  const service = async (row: object) => (await app.inject({ method: 'POST', url: '/models/attention-decoder/sequence', body: { ...row, parts: ['attention', 'read'], fields: ['parts', 'c_out'] } })).json()
  const { errors } = await service(rows[0])
  const D = Number(/expected vectors of (\d+)/.exec(errors?.[0].message)?.[1] ?? 4)
  for (const [i, row] of rows.entries()) row.context.support = chunk(some((1 + i % 3) * D, i + 9), D)
  await writeFile(input, rows.map((row, i) => JSON.stringify({ id: i, note: { i }, ...row })).join('\n'))
  assert.equal(await encode('attention-decoder', '--in', input, '--out', output, '--parts', 'attention,read', '--fields', 'c_out,parts', '--return-sequences', '--keep', 'note'), 0)
  const lines = (await readFile(output, 'utf8')).trimEnd().split('\n')
  for (const [i, row] of rows.entries()) assert.deepEqual(JSON.parse(lines[i]), { id: i, note: { i }, ...await service(row) })
})

test('ids, and steps that feed the same', async (t) => {
  const folder = await folderOf(t)
  const models = await spellerModels(t)
  const [input, csv, output] = [join(folder, 'in.ndjson'), join(folder, 'in.csv'), join(folder, 'out.ndjson')]
  await writeFile(input, '{"ids": [1, 2, 3]}\n{"ids": [4]}\n')
  await writeFile(csv, 'word,letter\n"a ""b"", c",1\n"a ""b"", c",2\n"a ""b"", c",3\nd,4\n')
  const app = await buildTestApp(t, '--models', models)
  const expected = await Promise.all([[1, 2, 3], [4]].map(async (ids) => (await app.inject({ method: 'POST', url: '/sequence', body: { ids, fields: ['h_out', 'y'], return_sequences: false } })).json()))
  const linesOf = async (file: string): Promise<object[]> => (await readFile(file, 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line))
  assert.equal(await encode('speller', '--models', models, '--in', input, '--out', output, '--fields', 'h_out,y'), 0)
  assert.deepEqual(await linesOf(output), expected)
  assert.equal(await encode('speller', '--models', models, '--in', csv, '--out', output, '--fields', 'h_out,y', '--overwrite'), 0)
  assert.deepEqual(await linesOf(output), expected.map((answer, i) => ({ word: ['a "b", c', 'd'][i], ...answer })))
  await writeFile(input, '{"x": [0.5, 1]}\n{"x": [[1, 2]], "steps": 2}\n')
  assert.equal(await encode('custom-lstm', '--in', input, '--out', output, '--steps', '4', '--overwrite'), 0)
  const demo = await buildTestApp(t)
  const repeated = await Promise.all([{ x: [0.5, 1], steps: 4 }, { x: [[1, 2]], steps: 2 }].map(async (body) => (await demo.inject({ method: 'POST', url: '/models/custom-lstm/sequence', body: { ...body, fields: ['h_out'] } })).json()))
  assert.deepEqual(await linesOf(output), repeated)
})

test('the shards of a file, one after the other, are the answers of all of it', onlyFull('starts processes'), async (t) => {
  const folder = await folderOf(t)
  for (const format of ['ndjson', 'csv', 'safetensors', 'parquet'] as const) {
    const input = join(folder, `in.${format}`)
    await writeFile(input, WRITE[format]())
    const whole = join(folder, `${format}.ndjson`)
    assert.equal(await encode('custom-lstm', '--in', input, '--out', whole), 0)
    const shards: string[] = []
    for (let k = 0; k < 3; k++) {
      const shard = join(folder, `${format}-${k}.ndjson`)
      assert.equal(await encode('custom-lstm', '--in', input, '--out', shard, '--shard', `${k}/3`), 0)
      shards.push(await readFile(shard, 'utf8'))
    }
    assert.equal(shards.join(''), await readFile(whole, 'utf8'))
    assert.ok(shards.every((text) => text.length > 0))
  }
})

/** A Parquet file of one column of numbers. */
function numbers (name: string): Buffer {
  return Buffer.from(parquetWriteBuffer({ columnData: [{ name, data: [1, 2], type: 'DOUBLE' }] }))
}

describe('what is wrong is one line with the row\'s number', () => {
  for (const [what, name, content, args, message] of [
    ['a row of another width', 'a.ndjson', '{"x":[[1,2]]}\n{"x":[[1,2]]}\n{"x":[[1,2,3]]}\n', [], /a\.ndjson: row 3: \/x: expected vectors of 2 numbers \(I\), got 3; 0 sequences are written/],
    ['a number past float32', 'a.ndjson', '{"x":[[1,2],[1e39,0]]}\n', [], /row 1: \/x\/1\/0: 1e\+39 is not finite as a float32/],
    ['a field that there is not', 'a.ndjson', '{"x":[[1,2]]}\n{"x":[[1,2]],"colour":3}\n', [], /row 2: \/colour: is not a known field/],
    ['a line that is no JSON', 'a.ndjson', '{"x":[[1,2]]}\nNaN\n', [], /row 2: the line is not JSON/],
    ['an empty line', 'a.ndjson', '{"x":[[1,2]]}\n\n{"x":[[1,2]]}', [], /row 2: the line is empty/],
    ['a file that ends within a line', 'a.ndjson', '{"x":[[1,2]]}\n{"x":[[1', [], /row 2: the line is not JSON.*; the file ends within it/],
    ['a row with rows in it', 'a.ndjson', '{"x":[[[1,2]]]}\n', [], /row 1: \/x: expected an array of numbers or an array of arrays of numbers/],
    ['a field that the model does not answer', 'a.ndjson', '{"x":[[1,2]]}\n', ['--fields', 'y'], /--fields: the model does not return y/],
    ['a CSV file without a header', 'a.csv', '1,2,3\n', [], /a\.csv: expected a header/],
    ['a cell that is no number', 'a.csv', 'id,a,b\nr,1,2\nr,0x1,2\n', [], /row 1: step 1: a: expected a number .* got "0x1"/],
    ['a line of fewer cells', 'a.csv', 'id,a,b\nq,1,2\nr,1', [], /row 2: step 0, in which the file ends: expected 2 numbers.* got 1/],
    ['NaN in safetensors', 'a.safetensors', writeSafetensors({ x: f32([2, 1, 2], [1, 2, 3, NaN]) }), [], /row 2: \/x\/0\/1: NaN is not finite/],
    ['a length past T', 'a.safetensors', writeSafetensors({ x: f32([2, 1, 2], [1, 2, 3, 4]), lengths: i32([2], [1, 2]) }), [], /row 2: expected a length from 1 to 1, got 2/],
    ['lengths of more steps than there are', 'a.safetensors', writeSafetensors({ x: f32([2, 2], [1, 2, 3, 4]), lengths: i32([2], [1, 2]) }), [], /row 2: its length is 2, but only 1 steps of x are left/],
    ['a tensor that there is not', 'a.safetensors', writeSafetensors({ x: f32([1, 1, 2], [1, 2]), z: f32([1], [1]) }), [], /tensor z: is not known/],
    ['a safetensors file that is cut', 'a.safetensors', writeSafetensors({ x: f32([2, 1, 2], [1, 2, 3, 4]) }).slice(0, -5), [], /a\.safetensors: is not a safetensors file, or is truncated: .*tensor "x"/],
    ['a Parquet file that is cut', 'a.parquet', Buffer.from(WRITE.parquet()).subarray(0, -9), [], /a\.parquet: is not a Parquet file, or is truncated/],
    ['a Parquet column that there is not', 'a.parquet', numbers('colour'), [], /a\.parquet: column colour: is not known; expected x, /],
    ['a Parquet column to keep that there is not', 'a.parquet', numbers('x'), ['--keep', 'y'], /--keep: there is no column y; the columns are x/],
    ['a Parquet row without lists', 'a.parquet', numbers('x'), [], /row 1: \/x: expected a list of numbers, got 1;/],
    ['a model that there is not', 'a.ndjson', '', ['--models', 'models/gru'], /there is no model custom-lstm; the models are model/]
  ] as const) {
    test(what, name.endsWith('.parquet') ? onlyFull('starts a process') : {}, async (t) => {
      const folder = await folderOf(t)
      await writeFile(join(folder, name), content)
      assert.match(await failureOf(t, 'custom-lstm', '--in', join(folder, name), '--out', join(folder, 'out.ndjson'), ...args), message)
    })
  }

  for (const precision of PRECISIONS) {
    test(`arithmetic that overflows with weights as ${precision}`, async (t) => {
      const folder = await folderOf(t)
      await writeFile(join(folder, 'a.ndjson'), '{"x":[[1,2],[1,2]]}\n{"x":[[1,2],[3e38,3e38]]}\n')
      assert.match(await failureOf(t, 'overflowing', '--models', await overflowingModels(t, precision), '--in', join(folder, 'a.ndjson'), '--out', join(folder, 'out.ndjson')), /a\.ndjson: row 2.*: .*step 1: the arithmetic overflows float32; the inputs are too large for these weights; 0 sequences are written/)
    })
  }
})

describe('a spoilt file is encoded, or refused in one line', () => {
  for (const format of ['ndjson', 'csv', 'safetensors', 'parquet'] as const) {
    test(format, async (t) => {
      const folder = await folderOf(t)
      const [input, output] = [join(folder, `in.${format}`), join(folder, 'out.ndjson')]
      const dice = createDice(format.length)
      const good = Buffer.from(WRITE[format]())
      const said: string[] = []
      const write = t.mock.method(process.stderr, 'write', (text: string) => said.push(text) > 0)
      try {
        // A process of its own reads a Parquet file.
        for (let i = 0; i < (format === 'parquet' ? scaled(60, 60) : scaled(200, 40)); i++) {
          const bytes = Buffer.from(good.subarray(0, dice.chance(0.3) ? dice.below(good.length) : good.length))
          for (let k = bytes.length === 0 ? 0 : 1 + dice.below(3); k > 0; k--) bytes[dice.below(bytes.length)] = dice.below(256)
          await writeFile(input, bytes)
          said.length = 0
          const code = await encode('custom-lstm', '--in', input, '--out', output, '--overwrite')
          assert.deepEqual([code, said.length], code === 0 ? [0, 0] : [1, 1], said.join(''))
          if (code === 1) assert.match(said[0], /^cellserve: [^\n]{1,2000}\n$/)
          assert.doesNotMatch(said.join(''), /is not a function|Cannot read|is not iterable|call stack/)
        }
      } finally {
        write.mock.restore()
      }
    })
  }
})

test('--skip-bad answers the others, and says in its place why a row has none', async (t) => {
  const folder = await folderOf(t)
  const [input, output] = [join(folder, 'in.ndjson'), join(folder, 'out.ndjson')]
  await writeFile(input, '{"id":"a","x":[[1,2]]}\n{"id":"b","x":[[1,2,3]]}\n{"id":"c","x":[[1,null]]}\n{"id":"d","x":[[3,4]]}\n')
  t.mock.method(process.stderr, 'write', () => true)
  assert.equal(await encode('custom-lstm', '--in', input, '--out', output, '--skip-bad'), 0)
  const lines = (await readFile(output, 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line))
  // Nothing of a line that is no request is known, its id included.
  assert.deepEqual(lines.map(({ id, error }) => [id, error !== undefined]), [['a', false], ['b', true], [undefined, true], ['d', false]])
  assert.equal(lines[1].error, '/x: expected vectors of 2 numbers (I), got 3')
})

describe('a file goes on where it stopped', onlyFull('starts processes'), () => {
  for (const format of firstOf(['safetensors', 'parquet', 'ndjson'] as const, 1)) {
    test(`${format}: the disk is full, then has room`, async (t) => {
      const folder = await folderOf(t)
      const [input, whole, output] = [join(folder, 'in.csv'), join(folder, `whole.${format}`), join(folder, `out.${format}`)]
      // Some windows of rows.
      await writeFile(input, `id,a,b\n${Array.from({ length: 10_000 }, (_, i) => `${i},${i / 1e4},-0.5`).join('\n')}\n`)
      const args = ['custom-lstm', '--in', input, '--fields', 'h_out,c_out']
      assert.equal(await encode(...args, '--out', whole), 0)
      const bytes = await readFile(whole)
      // The shell counts 512 bytes, or 1024. What Node.js writes of its coverage would be cut, too.
      const limit = Math.floor(bytes.length * 0.7 / 1024)
      const full = await start(t, '/bin/bash', ['-c', `unset NODE_V8_COVERAGE; ulimit -f ${limit}; exec "$@"`, 'bash', process.execPath, 'dist/main.js', 'encode', ...args, '--out', output]).ended
      assert.equal(full.code, 1, full.stdout)
      assert.match(full.stderr, /^cellserve: .*cannot be written: .*; (4096|8192|10000) sequences are written, and --resume continues after them\n$/)
      assert.match(await failureOf(t, ...args.with(0, 'symmetric'), '--out', output, '--resume'), /\.checkpoint: model was "custom-lstm", and is "symmetric" now; --overwrite starts over$/)
      assert.equal(await encode(...args, '--out', output, '--resume'), 0)
      assert.deepEqual(await readFile(output), bytes)
      await assert.rejects(readFile(`${output}.checkpoint`))
    })
  }
})

test('a signal stops it between two windows, and what is partial behind the last does not count', onlyFull('takes seconds'), async (t) => {
  const folder = await folderOf(t)
  const [input, whole, output] = [join(folder, 'in.safetensors'), join(folder, 'whole.ndjson'), join(folder, 'out.ndjson')]
  const N = 30_000
  await writeFile(input, writeSafetensors({ x: f32([N, 1, 2], some(2 * N, 1)) }))
  const args = ['custom-lstm', '--in', input]
  const running = start(t, process.execPath, ['dist/main.js', 'encode', ...args, '--out', output])
  while ((await stat(output).catch(() => ({ size: 0 }))).size === 0) await setTimeout(5)
  running.stop('SIGINT')
  const { code, stderr } = await running.ended
  assert.equal(code, 130, stderr)
  assert.match(stderr, /^cellserve: stopped: .*out\.ndjson: \d+ sequences are written, and --resume continues after them\n$/)
  await writeFile(output, '{"h_out":[0.1', { flag: 'a' })
  assert.equal(await encode(...args, '--out', output, '--resume'), 0)
  assert.equal(await encode(...args, '--out', whole), 0)
  assert.deepEqual(await readFile(output), await readFile(whole))
})

test('an output that is there is left alone, and another input is not gone on with', async (t) => {
  const folder = await folderOf(t)
  const [input, output] = [join(folder, 'in.ndjson'), join(folder, 'out.ndjson')]
  await writeFile(input, '{"x":[[1,2]]}\n{"x":3}\n')
  await failureOf(t, 'custom-lstm', '--in', input, '--out', output)
  assert.match(await failureOf(t, 'custom-lstm', '--in', input, '--out', output), /out\.ndjson: exists already; --resume continues it, --overwrite starts over/)
  await writeFile(input, '{"x":[[1,2]]}\n')
  assert.match(await failureOf(t, 'custom-lstm', '--in', input, '--out', output, '--resume'), /checkpoint: input was "22 bytes, [0-9a-f]+", and is "14 bytes, [0-9a-f]+" now; --overwrite starts over/)
  assert.equal(await encode('custom-lstm', '--in', input, '--out', output, '--overwrite'), 0)
  assert.match(await failureOf(t, 'custom-lstm', '--in', input, '--out', output, '--resume'), /out\.ndjson: exists, but .*checkpoint does not: it is complete/)
})

for (const [what, args, message] of [
  ['no model', ['--in', 'a.csv', '--out', 'b.csv'], /^encode: expected one MODEL, got none$/],
  ['no input', ['m', '--out', 'b.csv'], /^encode: --in: is required$/],
  ['a file of no format', ['m', '--in', 'a.txt', '--out', 'b.csv'], /^encode: --in: expected a file that ends with \.ndjson, .*, got a\.txt; for other names, use --in-format$/],
  ['a shard past the last', ['m', '--in', 'a.csv', '--out', 'b.csv', '--shard', '3/3'], /^encode: --shard: expected INDEX\/COUNT/],
  ['a field that there is not', ['m', '--in', 'a.csv', '--out', 'b.csv', '--fields', 'h'], /^encode: --fields: expected some of output, .*, got h$/],
  ['a flag that there is not', ['m', '--in', 'a.csv', '--out', 'b.csv', '--port', '1'], /^encode: Unknown option '--port'/]
] as const) {
  test(`encode with ${what} is an error that says so`, async () => {
    await assert.rejects(runEncode(args, {}), { message })
  })
}
