import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { importModel } from '../../../src/cli/import/import.ts'
import { ImportError } from '../../../src/cli/import/import-error.ts'
import { buildTestApp } from '../../support/app.ts'
import { FULL, onlyFull } from '../../support/full.ts'
import { writeModels } from '../../support/models.ts'

const FIXTURES = 'test/fixtures/import'

/** What a library answers with its own file. */
interface Case {
  readonly file: string
  readonly x?: unknown
  readonly ids?: unknown
  /** What the service answers the same in; `last` is the output of the last step. */
  readonly field: 'output' | 'last' | 'h_out' | 'y' | 'y last'
  readonly values: unknown
}

const readCases = (name: string): Case[] => JSON.parse(readFileSync(join(FIXTURES, name), 'utf8'))

function numbers (value: unknown): number[] {
  return Array.isArray(value) ? value.flatMap(numbers) : [Number(value)]
}

/** What each library says of the files that it, or another one, has written. */
const LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  Keras: ['keras.json'],
  'TensorFlow.js': ['tfjs.json', 'quantized.json'],
  'ONNX Runtime': ['onnx.json', 'tf2onnx.json', 'onnxscript.json']
}

/** A file that a process of its own reads, which takes most of a second: the quick suite tries one in eight. */
function notNow (file: string, among: readonly string[]): { skip: string | false } {
  return { skip: !FULL && /\.(h5|keras)$/.test(file) && among.indexOf(file) % 8 !== 0 && 'starts a process: npm run test:full' }
}

for (const [library, files] of Object.entries(LIBRARIES)) {
  const cases = files.flatMap(readCases)
  const names = cases.map(({ file }) => file)
  test(`what is imported answers as ${library} does`, async (t) => {
    const models = await writeModels(t, {})
    const modelOf = (file: string): string => file.replaceAll('/', '-')
    for (const file of names) {
      if (notNow(file, names).skip !== false) continue
      assert.match(await importModel(join(FIXTURES, file), models, modelOf(file)), /^checked: 3 steps of /m)
    }
    const app = await buildTestApp(t, '--models', models)
    for (const { file, x, ids, field, values } of cases) {
      await t.test(file, notNow(file, names), async (t) => {
        const last = field.endsWith('last')
        const { statusCode, body } = await app.inject({ method: 'POST', url: `/models/${modelOf(file)}/sequence`, body: { ...(ids === undefined ? { x } : { ids }), ...(last && { return_sequences: false }) } })
        assert.equal(statusCode, 200, body)
        const answer: Record<string, unknown> = JSON.parse(body)
        const answered = numbers(answer[field === 'last' ? 'output' : field.split(' ')[0]])
        const expected = numbers(values)
        assert.equal(answered.length, expected.length)
        const error = Math.max(...answered.map((value, i) => Math.abs(value - expected[i])))
        t.diagnostic(`largest difference ${error.toExponential(1)}`)
        assert.ok(error <= 1e-5, `${error}`)
      })
    }
  })
}

/** What each file is refused for: every layer that is at fault, by its name. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  'reset-before.keras': /^gru\w*: is a GRU with reset_after=False, whose equation differs from that of PyTorch and of Keras since 2\.0$/,
  'backwards.keras': /^lstm\w*: goes backwards$/,
  'selu.keras': /^lstm\w*: has the activation selu; supported: tanh and relu$/,
  'convolution.keras': /^conv1d: is a Conv1D; batch_normalization: is a BatchNormalization$/,
  'branches.keras': /^right: reads input_layer\w*, not the layer before; concatenate: is a Concatenate$/,
  'summed.keras': /^bidirectional\w*: is a Bidirectional that merges by sum; only concat is supported$/,
  'mixed.keras': /^gru\w*: is a GRU with tanh and one direction, after lstm\w*, which is an LSTM/,
  'reset-before.onnx': /^gru: is a GRU with linear_before_reset=0/,
  'clip.onnx': /^lstm: has a clip$/,
  'reverse.onnx': /^Y_h: is only the backward direction of lstm$/,
  'peepholes.onnx': /^lstm: has peepholes$/,
  'elu.onnx': /^rnn: has the activations Elu$/,
  'convolution.onnx': /^\/front\/front\.0\/Conv: is a Conv; \/front\/front\.1\/Relu: is a Relu that does not follow a dense layer .*; \/ReduceSum: is a ReduceSum$/,
  'tf2onnx-gru.onnx': /^sequential_\w+\/gru_\w+\/while_loop: is a Loop, whose steps are a graph of their own; the supported recurrent nodes are LSTM, GRU, RNN; /,
  'onnxscript-swapped.onnx': /^n\d+: puts the backward direction before the forward one$/,
  'onnxscript-unlike.onnx': /^n\d+: joins n\d+, an LSTM of 2 with tanh, and n\d+, a GRU of 2 with tanh; the directions of a layer must be alike$/,
  'onnxscript-along.onnx': /^n\d+: joins two directions along axis 0$/,
  'onnxscript-flipped.onnx': /^n\d+: is a Slice of steps other than the last$/,
  'itself.h5': /has groups in groups without end: model_weights\/again\/model_weights\/again\//,
  'each-other.h5': /has groups in groups without end: model_weights\/g0\/a\/a\//,
  'links.h5': /is not an HDF5 file that can be read: too many links$/,
  'deflated.h5': /its model_weights\/lstm\/kernel declares 16777216 bytes; the whole file has \d+$/,
  'tfjs-gru/model.json': /^gru_GRU1: is a GRU with reset_after=False/
}

describe('what cannot be served is named, node by node, and nothing is written', () => {
  test('every file that is refused has its words', async () => {
    assert.deepEqual((await readdir(join(FIXTURES, 'refused'))).sort(), Object.keys(REFUSED).map((file) => file.split('/')[0]).sort())
  })
  for (const [file, words] of Object.entries(REFUSED)) {
    test(file, notNow(file, Object.keys(REFUSED)), async (t) => {
      const models = await writeModels(t, {})
      await assert.rejects(importModel(join(FIXTURES, 'refused', file), join(models, 'new'), 'm'), { name: 'ImportError', message: words })
      assert.deepEqual(await readdir(models), [])
    })
  }
})

describe('import', () => {
  test('says what it found, what it made of it, and what that answers', async (t) => {
    const models = await writeModels(t, {})
    const report = await importModel(`${FIXTURES}/stack.keras`, models, 'm')
    assert.match(report, /^test\/fixtures\/import\/stack\.keras: Keras 3\.\S+\n {2}first {2}an LSTM, 3 to 4\n {2}lstm {3}an LSTM, 4 to 5\n\S+\/m: 8 tensors, 364 numbers, config\.json \{\}\nchecked: 3 steps of x = 0\.1, \w+ engine: output of the last \[(-?0\.\d{6}, ){4}\.\.\.\]\n$/)
    assert.deepEqual((await readdir(models, { recursive: true })).sort(), ['m', 'm/config.json', 'm/model.safetensors'])
  })

  test('takes one layer of a model that has more', onlyFull('starts processes'), async (t) => {
    const models = await writeModels(t, {})
    await importModel(`${FIXTURES}/refused/branches.keras`, models, 'right', 'right')
    await importModel(`${FIXTURES}/both-read.keras`, models, 'both', 'both')
    const app = await buildTestApp(t, '--models', models)
    const { models: served }: { models: Array<{ name: string, sizes: object }> } = await (await fetch(`${app.listeningOrigin}/models`)).json()
    assert.deepEqual(served.map(({ name, sizes }) => [name, sizes]), [['both', { I: 3, Hi: 2, Ho: 2 }], ['right', { I: 3, Hi: 3, Ho: 3 }]])
    await assert.rejects(importModel(`${FIXTURES}/refused/branches.keras`, models, 'm', 'middle'), { message: '--layer middle: is not a layer of the file; recurrent layers: left, right' })
  })

  test('leaves a model that is there as it is', async (t) => {
    const models = await writeModels(t, { 'm/model.safetensors': 'mine' })
    await assert.rejects(importModel(`${FIXTURES}/stack.keras`, models, 'm'), { message: `${models}/m exists already; --name gives the model another name` })
    assert.equal(await readFile(join(models, 'm/model.safetensors'), 'utf8'), 'mine')
  })

  test('leaves nothing if the model is not served, and says why in the service\'s words', async (t) => {
    const models = await writeModels(t, {})
    const good = readFileSync(`${FIXTURES}/tfjs-stack/model.json`, 'utf8')
    await mkdir(join(models, 'tfjs'))
    await writeFile(join(models, 'tfjs/model.json'), good)
    for (const k of [1, 2]) {
      const shard = `group1-shard${k}of2.bin`
      const bytes = readFileSync(`${FIXTURES}/tfjs-stack/${shard}`)
      bytes.writeUInt32LE(0x7fc00000)
      await writeFile(join(models, 'tfjs', shard), bytes)
    }
    await assert.rejects(importModel(join(models, 'tfjs/model.json'), join(models, 'out'), 'm'), { message: /^\S+\/out\/m\/model\.safetensors: tensor weight_ih_l0: element 0 is NaN as a float32$/ })
    assert.deepEqual(await readdir(models), ['tfjs'])
  })
})

describe('files that a file names', () => {
  let topology: Record<string, unknown> = {}
  before(() => { topology = JSON.parse(readFileSync(`${FIXTURES}/tfjs-stack/model.json`, 'utf8')) })

  for (const [what, paths, words] of [
    ['in another folder', ['../outside.bin'], /names \.\.\/outside\.bin, which is not in its folder/],
    ['by an absolute path', ['/etc/hostname'], /does not exist|not in its folder/],
    ['that are not there', ['gone.bin'], /the file gone\.bin that it names does not exist/],
    ['twice', ['w.bin', 'w.bin'], /names w\.bin twice/],
    ['of another size', ['w.bin'], /w\.bin: expected \d+ bytes of weights, found 4/],
    ['that are folders', ['.'], /expected \d+ bytes|is a folder/]
  ] as const) {
    test(`a shard ${what}`, async (t) => {
      const weights: unknown = JSON.parse(readFileSync(`${FIXTURES}/tfjs-stack/model.json`, 'utf8')).weightsManifest[0].weights
      const folder = await writeModels(t, {
        'outside.bin': 'secret',
        'm/w.bin': 'four',
        'm/model.json': JSON.stringify({ ...topology, weightsManifest: [{ paths, weights }] })
      })
      await assert.rejects(importModel(join(folder, 'm/model.json'), join(folder, 'out'), 'm'), { message: words })
      assert.deepEqual((await readdir(folder)).sort(), ['m', 'outside.bin'])
    })
  }

  test('tensors of an ONNX file outside of its folder', async (t) => {
    const bytes = readFileSync(`${FIXTURES}/beside.onnx`)
    // As long as `beside.data`.
    const moved = Buffer.from(bytes.toString('latin1').replaceAll('beside.data', '../out.data'), 'latin1')
    const folder = await writeModels(t, { 'm/m.onnx': moved, 'out.data': readFileSync(`${FIXTURES}/beside.data`) })
    await assert.rejects(importModel(join(folder, 'm/m.onnx'), join(folder, 'out'), 'm'), { message: /names \.\.\/out\.data, which is not in its folder/ })
  })
})

test('a PyTorch pickle is not read: two lines of Python save it', async (t) => {
  const models = await writeModels(t, { 'net.pt': 'PK' })
  await assert.rejects(importModel(join(models, 'net.pt'), models, 'm'), (error) => {
    assert.ok(error instanceof ImportError)
    assert.equal(error.advice, `    import torch; from safetensors.torch import save_file\n    save_file(torch.load("${models}/net.pt", map_location="cpu").state_dict(), "my-models/net.safetensors")\n`)
    return true
  })
})
