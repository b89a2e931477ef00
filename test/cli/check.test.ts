import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCheck } from '../../src/cli/check.ts'
import { commandsText } from '../../src/cli/cli.ts'
import { onlyFull } from '../support/full.ts'
import { writeModels } from '../support/models.ts'
import { run, start } from '../support/process.ts'
import { customLstm, f32, under, writeSafetensors } from '../support/safetensors.ts'

const CELL = writeSafetensors(customLstm(2, 2, 2))

test('check says what each model is, and exits with 0 if nothing is wrong', async (t) => {
  const { code, stdout, stderr } = await run(t, 'check', 'models', '--engine', 'auto').ended
  assert.deepEqual([code, stderr], [0, ''])
  assert.match(stdout, /\ncustom-lstm\n {2}cell {8}LSTM, sigmoid, tanh\n {2}sizes {7}I = 2, Hi = 6, Ho = 3\n {2}layers {6}1, 1 direction\n {2}feedback {4}\{"policy":"repeat"\}\n {2}unused {6}no tensor\n {2}weights {5}120 numbers, 480 bytes\n {2}first step {2}x = 0\.1: h_out \[-?0\.\d{6}, -?0\.\d{6}, -?0\.\d{6}\] \(/)
  assert.match(stdout, /\nmatching-networks\n[^]*\nsymmetric\n/)
  assert.match(stdout, /\n6 models, \d+ bytes of weights, 0 faults\n$/)
})

test('check finds every fault, not the first alone, and exits with 1', async (t) => {
  const folder = await writeModels(t, {
    'a/model.safetensors': CELL,
    'a/config.json': '{"cell": {"kind": "lstn"}, "input": {"embedding": "input_linear.bias"}, "readout": [{"weight": "gone"}], "feedback": {"policy": "repeat"}}',
    'b.safetensors': 'not a file of tensors',
    'c/model.keras': '',
    'd/model.safetensors': CELL,
    'd/config.json': '{"feedback": {"policy": "projection", "weight": "p"}}',
    'e/model.safetensors': writeSafetensors({ ...under('lstm', customLstm(1, 1, 1)), 'head.weight': f32([1], [1]) }),
    'e/config.json': '{"default": true, "cell": {"recurrent_activation": "hard_sigmoid"}}',
    'f/model.safetensors': CELL,
    'f/config.json': '{"default": true}',
    'f.safetensors': CELL,
    'g.pt': '',
    'h/model.safetensors': writeSafetensors({ weight_ih: f32([5, 1], [1, 2, 3, 4, 5]), weight_hh: f32([1, 1], [1]) }),
    'h/config.json': '{"colour": "red", "input": {"weight": "weight_hh", "bias": "weight_ih"}}'
  })
  const { code, stdout, stderr } = await run(t, 'check', folder).ended
  assert.equal(code, 1)
  const faults = [
    /^cellserve: a\/config\.json: \/cell\/kind: expected one of lstm, gru, rnn, got the string "lstn"$/,
    /^cellserve: a\/config\.json: \/input\/embedding: tensor input_linear\.bias: expected a matrix \[vocabulary, width of x\], found \[8\]$/,
    /^cellserve: a\/config\.json: \/readout\/0\/weight: tensor gone: is missing; /,
    /^cellserve: b\.safetensors: declares a header of \d+ bytes/,
    /^cellserve: c\/model\.keras: is a Keras file; /,
    /^cellserve: d\/config\.json: \/feedback\/weight: tensor p: is missing; /,
    /^cellserve: f\/model\.safetensors and f\.safetensors are both named f$/,
    /^cellserve: h\/model\.safetensors: tensor weight_hh: expected shape \[5, Hi\] for an RNN, to match weight_ih, found \[1, 1\]$/,
    /^cellserve: h\/config\.json: \/colour: is not a known field$/,
    /^cellserve: h\/config\.json: \/input\/bias: tensor weight_ih: expected \[1\], found \[5, 1\]$/,
    /^cellserve: several models say that they are the default: e, f$/
  ]
  const lines = stderr.replaceAll(`${folder}/`, '').trimEnd().split('\n')
  assert.equal(lines.length, faults.length, stderr)
  faults.forEach((fault, i) => assert.match(lines[i], fault))
  assert.match(stdout, /warning: not served: .*g\.pt is a PyTorch file/)
  assert.match(stdout, /\ne\n {2}cell {8}LSTM, hard sigmoid of slope 0\.2, tanh\n[^]* {2}unused {6}head\.weight\n/)
  assert.match(stdout, /\n2 models, 256 bytes of weights, 11 faults\n$/)
})

test('check loads with the flags and the settings of the service, and tells what takes no first step', onlyFull('starts processes'), async (t) => {
  const folder = await writeModels(t, {
    'a.safetensors': CELL,
    'both.safetensors': writeSafetensors(Object.fromEntries(['', '_reverse'].flatMap((end) => [[`weight_ih_l0${end}`, f32([1, 2], [1, 2])], [`weight_hh_l0${end}`, f32([1, 1], [1])]]))),
    'no-x.safetensors': writeSafetensors({ weight_hh: f32([1, 1], [1]) })
  })
  const { code, stdout, stderr } = await run(t, 'check', folder, '--default-model', 'z', '--engine', 'tfjs').ended
  assert.equal(code, 1)
  // TensorFlow writes lines of its own to standard error.
  assert.deepEqual(stderr.split('\n').filter((line) => line.startsWith('cellserve: ')), ['cellserve: the default model z does not exist; the models are a, both, no-x'])
  assert.match(stdout, /\nboth\n {2}cell {8}RNN, tanh\n[^]* {2}layers {6}1, 2 directions\n[^]* {2}first step {2}x = 0\.1: output \[0\.291313, 0\.291313\] \(tfjs, /)
  assert.match(stdout, /\nno-x\n[^]* {2}first step {2}h_in = 0\.1: h_out \[0\.099668\] \(/)
  const overflowing = await writeModels(t, { 'o.safetensors': writeSafetensors({ weight_ih: f32([1, 2], [3e38, 3e38]), weight_hh: f32([1, 1], [1]), bias_ih: f32([1], [3.4e38]) }) })
  const other = await run(t, 'check', overflowing).ended
  assert.equal(other.code, 1)
  assert.match(other.stderr, /^cellserve: model o: its first step: .*overflows float32/)
})

test('check of no folder exits with 1 and a line that says so', async (t) => {
  const { code, stdout, stderr } = await run(t, 'check').ended
  assert.deepEqual([code, stdout], [1, ''])
  assert.match(stderr, /^cellserve: check: expected a FOLDER, got none\n/)
})

// The line is that of the error, as above.
for (const [what, args, message] of [
  ['a flag in its place', ['--help'], /^check: expected a FOLDER, got --help$/],
  ['a flag that there is not', ['models', '--port', 'x'], /^--port: /],
  ['a folder that is not there', ['no/such'], /^no\/such: cannot be read: /],
  ['an empty folder', ['test/cli'], /^test\/cli: has no model: expected /]
] as const) {
  test(`check of ${what} is an error that says so`, async () => {
    await assert.rejects(runCheck(args, {}), { message })
  })
}

test('the programs beside the service are listed by --help', () => {
  assert.match(commandsText(), /\n {2}cellserve check FOLDER \[--flag value \.\.\.\] +Load a folder of models/)
})

test('a reader that has seen enough ends the command quietly', onlyFull('starts processes'), async (t) => {
  const { code, stderr } = await start(t, 'bash', ['-c', 'set -o pipefail; "$0" dist/main.js check models | true', process.execPath]).ended
  assert.deepEqual([code, stderr], [141, ''])
})
