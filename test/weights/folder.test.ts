import assert from 'node:assert/strict'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ModelsError, readModels } from '../../src/weights/folder.ts'
import { writeModels } from '../support/models.ts'
import { customLstm, writeSafetensors } from '../support/safetensors.ts'

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

const WRONG: ReadonlyArray<[name: string, files: Record<string, string | Uint8Array>, message: RegExp]> = [
  ['a folder without a model', { 'README.md': '' }, /has no model: expected NAME\.safetensors or NAME\/model\.safetensors/],
  ['a file that does not parse', { 'a.safetensors': 'nonsense' }, /a\.safetensors: /],
  ['a file without a cell', { 'a/model.safetensors': writeSafetensors({}) }, /a\/model\.safetensors: no cell found/],
  ['a configuration that is not JSON', { 'a/model.safetensors': CELL, 'a/config.json': '{' }, /a\/config\.json: is not JSON/],
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
