import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { importModel, runImport } from '../../../src/cli/import/import.ts'
import { some } from '../../support/full.ts'
import { writeModels } from '../../support/models.ts'
import { ADDRESS, run } from '../../support/process.ts'

const FIXTURES = 'test/fixtures/import'

/** A number as people see it. */
const N = String.raw`-?\d\.\d{6}`

test('import as a user runs it: a folder, a report, exit code 0; check finds it good, and the service serves it', async (t) => {
  const models = join(await writeModels(t, {}), 'my-models')
  const imported = await run(t, 'import', `${FIXTURES}/both-text.keras`, '--name', 'text', '--models', models).ended
  assert.deepEqual([imported.code, imported.stderr], [0, ''])
  assert.match(imported.stdout, new RegExp([
    String.raw`^${FIXTURES}/both-text\.keras: Keras \S+`,
    String.raw`  embedding\w* +embedding, 7 ids to 4`,
    String.raw`  bidirectional\w* +a GRU, 4 to 6, two directions`,
    String.raw`  bidirectional\w* +a GRU, 6 to 4, two directions`,
    String.raw`  dense\w* +dense, 4 to 4, relu`,
    String.raw`  dense\w* +dense, 4 to 3, softmax`,
    String.raw`\S+/text: 21 tensors, 345 numbers, config\.json \{.*"of":"h_last".*\}`,
    String.raw`checked: 3 steps of id 0, \w+ engine: y of the last \[${N}, ${N}, ${N}\]`,
    'note: the file gives one y for a whole sequence, of the last states of both directions; so does the service\n$'
  ].join('\n')))
  assert.deepEqual((await readdir(models, { recursive: true })).sort(), ['text', 'text/config.json', 'text/model.safetensors'])

  const checked = await run(t, 'check', models, '--engine', 'auto').ended
  assert.deepEqual([checked.code, checked.stderr], [0, ''])
  assert.match(checked.stdout, new RegExp(String.raw`^text\n  cell {8}GRU, sigmoid, tanh\n[^]*  input {7}ids from 0 to 6\n[^]*first step  id 0: output \[[^\]]*\], y \[${N}, ${N}, ${N}\] \([^]*\n1 model, \d+ bytes of weights, 0 faults\n$`))

  const service = run(t, '--models', models, '--port', '0', '--host', '127.0.0.1')
  const answer = await fetch(`${await service.line(ADDRESS)}/sequence`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"ids": [[1, 0, 6]]}' })
  const { y }: { y: number[][][] } = await answer.json()
  assert.deepEqual([answer.status, y.length, y[0].length, y[0][0].length], [200, 1, 1, 3])
})

for (const [what, args, message] of [
  ['a file that is refused', [`${FIXTURES}/refused/convolution.onnx`], /^cellserve: \S+\/convolution\.onnx: \/front\/front\.0\/Conv: is a Conv; .*\n$/],
  ['no file', [], /^cellserve: import: expected one FILE, got none\n/]
] as const) {
  test(`import of ${what} exits with 1, one line and nothing written`, async (t) => {
    const models = await writeModels(t, {})
    const { code, stdout, stderr } = await run(t, 'import', ...args, '--models', join(models, 'out')).ended
    assert.deepEqual([code, stdout], [1, ''])
    assert.match(stderr, message)
    assert.deepEqual(await readdir(models), [])
  })
}

for (const file of some(['stack.onnx', 'tfjs-stack/model.json', 'stack.keras'])) {
  test(`import of ${file} tells how far it has come, and never less than before`, async (t) => {
    const models = await writeModels(t, {})
    const heard: Array<readonly [share: number, doing: string]> = []
    await importModel(join(FIXTURES, file), models, 'm', undefined, (share, doing) => heard.push([share, doing]))
    assert.deepEqual([...new Set(heard.map(([, doing]) => doing))], ['reading', 'writing', 'checking'])
    const shares = heard.map(([share]) => share)
    assert.deepEqual(shares, shares.toSorted((a, b) => a - b))
    assert.deepEqual([shares[0], heard.find(([, doing]) => doing === 'writing')?.[0], shares.at(-1)], [0, 0.5, 0.75])
    // The two layers have four tensors each, behind the header.
    assert.equal(heard.filter(([, doing]) => doing === 'writing').length, 9)
    // Another process reads HDF5, and sends a tensor at a time: three of each layer.
    assert.equal(heard.filter(([, doing]) => doing === 'reading').length, file.endsWith('.keras') ? 7 : 1)
  })
}

test('import shows its bar on a terminal, and takes it away before what it says', async (t) => {
  const models = await writeModels(t, {})
  const texts: string[] = []
  const { isTTY } = process.stderr
  t.after(() => { process.stderr.isTTY = isTTY })
  process.stderr.isTTY = true
  t.mock.method(process.stderr, 'write', (text: string) => texts.push(text) > 0)
  assert.equal(await runImport([`${FIXTURES}/refused/clip.onnx`, '--models', join(models, 'out')], {}), 1)
  assert.match(texts.join('').replaceAll('\u001b[K', '<end>'), /^\r\[ +\] 0 %, reading<end>(\r[^\r]*<end>)?\r<end>cellserve: \S+\/clip\.onnx: lstm: has a clip\n$/)
})

// The line is that of the error, as above.
for (const [what, file, message] of [
  ['a file that is not there', 'no/such.onnx', /^does not exist$/],
  ['a folder', `${FIXTURES}/refused`, /^is not a supported kind of file: expected \.keras, \.h5, \.hdf5, \.json, \.onnx$/]
] as const) {
  test(`import of ${what} is an error that says so, and nothing is written`, async (t) => {
    const models = await writeModels(t, {})
    await assert.rejects(importModel(file, join(models, 'out'), 'm'), { name: 'ImportError', message })
    assert.deepEqual(await readdir(models), [])
  })
}

for (const [what, args, message] of [
  ['two files', ['a.h5', 'b.h5'], /^import: expected one FILE, got 2$/],
  ['a name that is a path', ['a.h5', '--name', '../a'], /^--name: "\.\.\/a" is not the name of a folder$/],
  ['a flag that there is not', ['a.h5', '--force'], /^import: Unknown option '--force'/]
] as const) {
  test(`import of ${what} is an error that says so`, async () => {
    await assert.rejects(runImport(args, {}), { message })
  })
}
