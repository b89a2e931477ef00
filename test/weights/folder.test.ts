import assert from 'node:assert/strict'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ModelsError, readModels } from '../../src/weights/folder.ts'
import { writeModels } from '../support/models.ts'
import { customLstm, f32, writeSafetensors } from '../support/safetensors.ts'

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
  ['options of the cell that are not known', { 'a/model.safetensors': CELL, 'a/config.json': '{"cell": {"tensors": {}}}' }, /a\/config\.json: \/cell\/tensors: is not a known field$/],
  ['options of the cell that do not fit it', { 'a/model.safetensors': CELL, 'a/config.json': '{"cell": {"activation": "relu"}}' }, /a\/config\.json: \/cell\/activation: is for an RNN, and this is an LSTM$/],
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
  ['a model file that is a folder', (folder) => mkdir(join(folder, 'a', 'model.safetensors')), /a\/model\.safetensors: EISDIR/],
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
  const folder = await writeModels(t, { 'a.safetensors': CELL })
  await assert.rejects(readModels(join(folder, 'a.safetensors')), /a\.safetensors: cannot be read: ENOTDIR/)
})

test('a folder that is not there cannot be served', async () => {
  await assert.rejects(readModels('no/such/folder'), /no\/such\/folder: cannot be read/)
})
