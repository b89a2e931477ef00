import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, symlink } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { ModelsError } from '../../src/weights/folder.ts'
import { readModels, writeModels } from '../support/models.ts'
import { customLstm, f32, under, writeSafetensors } from '../support/safetensors.ts'

const CELL = writeSafetensors(customLstm(2, 6, 3))

test('a model is a file, or a folder with a configuration', async (t) => {
  const folder = await writeModels(t, {
    'b.safetensors': CELL,
    'a/model.safetensors': CELL,
    'a/config.json': '{"feedback": {"policy": "repeat"}}',
    'c/model.safetensors': CELL,
    'README.md': 'no model',
    'empty/notes.txt': 'no model either',
    '.hidden/model.safetensors': CELL
  })
  const models = await readModels(folder)
  assert.deepEqual(models.map(({ name, config }) => [name, config]), [['a', { feedback: { policy: 'repeat' } }], ['b', {}], ['c', {}]])
  assert.deepEqual(models.map((model) => model.folder?.slice(folder.length)), ['/a', undefined, '/c'])
  assert.deepEqual(models[0].tensor('input_linear.bias').shape, [12])
})

test('the version changes with each of a model\'s files, and with nothing else', async (t) => {
  const config = '{"feedback": {"policy": "module"}}'
  const folder = await writeModels(t, {
    'file.safetensors': CELL,
    'same/model.safetensors': CELL,
    'same/notes.txt': 'no part of it',
    'weights/model.safetensors': writeSafetensors(customLstm(2, 6, 3, 1)),
    'config/model.safetensors': CELL,
    'config/config.json': config,
    'code/model.safetensors': CELL,
    'code/config.json': config,
    'code/feedback.mjs': 'export const feedback = ({ h }) => [...h, ...h]'
  })
  const versions = new Map((await readModels(folder)).map(({ name, version }) => [name, version]))
  assert.equal(versions.get('same'), versions.get('file'))
  assert.equal(new Set(versions.values()).size, 4)
  assert.deepEqual(new Map((await readModels(folder)).map(({ name, version }) => [name, version])), versions, 'the same at the next start')
})

test('the cell is read with the options of the configuration', async (t) => {
  const folder = await writeModels(t, { 'a/model.safetensors': CELL, 'a/config.json': '{"cell": {"kind": "rnn", "activation": "relu"}}', 'b/model.safetensors': CELL })
  const [a, b] = await readModels(folder)
  assert.equal(a.layers.kind, 'rnn')
  assert.deepEqual(a.layers.nodes.map((layer) => layer.map((node) => node?.cell.sizes)), [[{ I: 2, Hi: 6, Ho: 12 }]])
  assert.equal(a.layers.nodes[0][0].cell.activation, 'relu')
  assert.equal(b.layers.kind, 'lstm')
})

test('a tensor is unused until somebody asks for it', async (t) => {
  const cell = Object.fromEntries(Object.entries(customLstm(2, 6, 3)).map(([name, tensor]) => [`cell.${name}`, tensor]))
  const folder = await writeModels(t, { 'a.safetensors': writeSafetensors({ ...cell, p: f32([1], [1]), q: f32([1], [2]) }) })
  const [{ tensor, unused }] = await readModels(folder)
  assert.deepEqual(unused(), ['p', 'q'])
  assert.deepEqual([...tensor('q').data], [2])
  assert.deepEqual(unused(), ['p'])
})

const WRONG: ReadonlyArray<[name: string, files: Record<string, string | Uint8Array>, message: RegExp]> = [
  ['a folder without a model', { 'README.md': '' }, /has no model: expected NAME\.safetensors or NAME\/model\.safetensors/],
  ['a file that does not parse', { 'a.safetensors': 'nonsense' }, /a\.safetensors: /],
  ['a file without a cell', { 'a/model.safetensors': writeSafetensors({}) }, /a\/model\.safetensors: no cell found/],
  ['a configuration that is not JSON', { 'a/model.safetensors': CELL, 'a/config.json': '{' }, /a\/config\.json: is not JSON/],
  ['options of the cell that are not known', { 'a/model.safetensors': CELL, 'a/config.json': '{"cell": {"names": {}}}' }, /a\/config\.json: \/cell\/names: is not a known field$/],
  ['options of the cell that do not fit it', { 'a/model.safetensors': CELL, 'a/config.json': '{"cell": {"slope": 0.2}}' }, /a\/config\.json: \/cell\/slope: is for "recurrent_activation": "hard_sigmoid"$/],
  ['a configuration that is no object', { 'a/model.safetensors': CELL, 'a/config.json': 'null' }, /a\/config\.json: must be object, got null$/],
  ['a name with a line break', { 'a.safetensors': writeSafetensors({ 'a\n.weight_ih': f32([4, 1], [0, 0, 0, 0]) }) }, /a\.safetensors: tensor a\\n\.weight_hh: is missing: a\\n\.weight_ih is there$/],
  ['two models of one name', { 'a.safetensors': CELL, 'a/model.safetensors': CELL }, /a\/model\.safetensors and .*a\.safetensors are both named a/]
]

for (const [name, files, message] of WRONG) {
  test(`${name} cannot be served`, async (t) => {
    const folder = await writeModels(t, files)
    await assert.rejects(readModels(folder), (error) => {
      assert.ok(error instanceof ModelsError)
      assert.match(error.message, message)
      return true
    })
  })
}

test('links are followed, and stray ones that lead nowhere are left alone', async (t) => {
  const folder = await writeModels(t, { '.versions/1/model.safetensors': CELL })
  await symlink(join('.versions', '1'), join(folder, 'linked'))
  await symlink('nowhere', join(folder, 'notes.txt'))
  assert.deepEqual((await readModels(folder)).map(({ name }) => name), ['linked'])
})

// Each is next to a good model, which must not be silently served alone.
const LOST: ReadonlyArray<[name: string, lose: (folder: string) => Promise<unknown>, message: RegExp]> = [
  ['a model file that is a link to nowhere', (folder) => symlink('nowhere', join(folder, 'b.safetensors')), /b\.safetensors: ENOENT/],
  ['a folder\'s model that is a link to nowhere', (folder) => symlink('nowhere', join(folder, 'a', 'model.safetensors')), /a\/model\.safetensors: ENOENT/],
  ['a model file that is a folder', (folder) => mkdir(join(folder, 'a', 'model.safetensors')), /a\/model\.safetensors: is a folder, expected a file/],
  ['a configuration that is a link to nowhere', (folder) => symlink('nowhere', join(folder, 'good', 'config.json')), /good\/config\.json: /]
]

for (const [name, lose, message] of LOST) {
  test(`${name} cannot be served`, async (t) => {
    const folder = await writeModels(t, { 'good/model.safetensors': CELL, 'a/notes.txt': '' })
    await lose(folder)
    await assert.rejects(readModels(folder), (error) => {
      assert.ok(error instanceof ModelsError)
      assert.match(error.message, message)
      return true
    })
  })
}

test('a file in the place of the folder cannot be served', async (t) => {
  const folder = await writeModels(t, { 'a.safetensors': CELL, 'm.keras': '' })
  await assert.rejects(readModels(join(folder, 'a.safetensors')), /a\.safetensors: is a file; expected a folder that holds NAME\.safetensors or NAME\/model\.safetensors$/)
  await assert.rejects(readModels(join(folder, 'm.keras')), /m\.keras: is a Keras file; .*; expected a folder/)
})

test('a folder that is not there cannot be served', async () => {
  await assert.rejects(readModels('no/such/folder'), /no\/such\/folder: cannot be read/)
})

test('a model\'s own folder is served with its configuration, and named after it', async (t) => {
  const folder = await writeModels(t, { 'mine/model.safetensors': CELL, 'mine/config.json': '{"default": true}', 'mine/README.md': '' })
  for (const path of ['mine', 'mine/', 'mine/../mine']) {
    const [{ name, config, folder: own }, ...others] = await readModels(`${folder}/${path}`)
    assert.deepEqual([name, config, own, others], ['mine', { default: true }, `${folder}/${path}`, []])
  }
})

test('without a configuration it is a folder of models', async (t) => {
  const folder = await writeModels(t, { 'model.safetensors': CELL, 'b.safetensors': CELL })
  assert.deepEqual((await readModels(folder)).map(({ name, folder: own }) => [name, own]), [['b', undefined], ['model', undefined]])
})

test('a second model in the folder of a single one cannot be served', async (t) => {
  for (const second of ['b.safetensors', 'b/model.safetensors']) {
    const folder = await writeModels(t, { 'model.safetensors': CELL, 'config.json': '{}', [second]: CELL })
    await assert.rejects(readModels(folder), { name: 'ModelsError', message: `${join(folder, second)}: is a second model in the folder of a single model: ${folder} holds model.safetensors and config.json` })
  }
})

test('tensors that neither the cell nor anyone else reads are unused, and one of the cell\'s own module is refused', async (t) => {
  const folder = await writeModels(t, {
    'a.safetensors': writeSafetensors({ 'emb.weight': f32([1], [0]), p: f32([1], [0]), ...under('lstm', customLstm(2, 6, 3)), 'out.weight': f32([1], [0]) }),
    'b.safetensors': writeSafetensors({ ...under('lstm', customLstm(2, 6, 3)), 'lstm.input_linear.weight_g': f32([1], [0]) })
  })
  const [a, b] = await readModels(folder)
  a.tensor('p')
  assert.deepEqual(a.unused(), ['emb.weight', 'out.weight'])
  assert.throws(() => b.unused(), (error) => {
    assert.ok(error instanceof ModelsError)
    assert.ok(error.message.startsWith(`${b.path}: tensor lstm.input_linear.weight_g: nothing uses it`), error.message)
    return true
  })
})

const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n'

// What stands where a model would be is refused, and said to be what it is.
const IN_PLACE: ReadonlyArray<[name: string, files: Record<string, string | Buffer>, message: RegExp]> = [
  ['a Git LFS pointer', { 'a.safetensors': POINTER }, /a\.safetensors: is a Git LFS pointer, not the file itself; `git lfs pull` fetches the file$/],
  ['a Git LFS pointer in a folder', { 'a/model.safetensors': POINTER }, /a\/model\.safetensors: is a Git LFS pointer/],
  ['a PyTorch file', { 'a/model.pt': '' }, /a\/model\.pt: is a PyTorch file; safetensors\.torch\.save_file .*; expected model\.safetensors$/],
  ['a PyTorch file of the other name', { 'a/model.pth': '' }, /a\/model\.pth: is a PyTorch file/],
  ['a PyTorch file under another name', { 'a.safetensors': `PK\x03\x04${'\0'.repeat(26)}archive/data.pkl` }, /a\.safetensors: is a PyTorch file; safetensors\.torch\.save_file/],
  ['another ZIP file', { 'a/model.safetensors': `PK\x03\x04${'\0'.repeat(26)}metadata.json` }, /a\/model\.safetensors: is a ZIP file; if Keras wrote it, `cellserve import`/],
  ['an HDF5 file', { 'a.safetensors': Buffer.from('\x89HDF\r\n', 'latin1') }, /a\.safetensors: is a Keras file; `cellserve import`/],
  ['a Keras file', { 'a/model.keras': '' }, /a\/model\.keras: is a Keras file; `cellserve import` turns it into a model/],
  ['an older Keras file', { 'a/model.weights.H5': '' }, /a\/model\.weights\.H5: is a Keras file/],
  ['an ONNX file', { 'a/model.onnx': '' }, /a\/model\.onnx: is an ONNX file; `cellserve import` turns it into a model/],
  ['a TensorFlow.js model', { 'a/model.json': '{}' }, /a\/model\.json: is a TensorFlow\.js model/],
  ['nothing but a file of another format', { 'm.onnx': '' }, /has no model: expected .*; found .*m\.onnx is an ONNX file/]
]

for (const [name, files, message] of IN_PLACE) {
  test(`${name} in the place of a model cannot be served`, async (t) => {
    const folder = await writeModels(t, { ...(name.startsWith('nothing') ? {} : { 'good.safetensors': CELL }), ...files })
    await assert.rejects(readModels(folder), { name: 'ModelsError', message })
  })
}

test('a FIFO, a socket and a device in the place of a file cannot be served, and nobody waits for them', async (t) => {
  for (const [kind, place] of [['a FIFO', 'a.safetensors'], ['a FIFO', 'a/model.safetensors'], ['a FIFO', 'good/config.json'], ['a socket', 'a.safetensors'], ['a device', 'a.safetensors']]) {
    const folder = await writeModels(t, { 'good/model.safetensors': CELL, 'a/notes.txt': '' })
    const path = join(folder, place)
    if (kind === 'a FIFO') execFileSync('mkfifo', [path])
    else if (kind === 'a device') await symlink('/dev/null', path)
    else {
      const server = createServer().listen(path)
      t.after(() => server.close())
      await once(server, 'listening')
    }
    await assert.rejects(readModels(folder), { name: 'ModelsError', message: `${path}: is ${kind}, expected a file` })
  }
})

test('what lies beside models is served no more than before, but said', async (t) => {
  const folder = await writeModels(t, {
    'a/model.safetensors': CELL,
    'a/config.json': '{}',
    'a/model.pt': '',
    'b.safetensors': CELL,
    'b.keras': '',
    'config.json': '{}',
    'notes/plan.onnx': '',
    'notes/config.json': '{}',
    'README.md': ''
  })
  execFileSync('mkfifo', [join(folder, 'pipe')])
  const warnings: string[] = []
  assert.deepEqual((await readModels(folder, (warning) => warnings.push(warning))).map(({ name }) => name), ['a', 'b'])
  assert.deepEqual(warnings.map((warning) => warning.replace(`${folder}/`, '').replace(/;.*/, '')), [
    'not served: a/model.pt is a PyTorch file',
    'not served: b.keras is a Keras file',
    'not served: config.json belongs to no model: there is no model.safetensors next to it',
    'not served: notes/config.json belongs to no model: there is no model.safetensors next to it',
    'not served: notes/plan.onnx is an ONNX file',
    'not served: pipe is a FIFO'
  ])
})

test('of many such files a few are named', async (t) => {
  const folder = await writeModels(t, { 'a.safetensors': CELL, ...Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`checkpoint${i}.pt`, ''])) })
  const warnings: string[] = []
  await readModels(folder, (warning) => warnings.push(warning))
  assert.equal(warnings.length, 13)
  assert.equal(warnings[12], 'not served: 88 more files that are not models')
})
