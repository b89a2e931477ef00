import assert from 'node:assert/strict'
import { mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { lookAtModels } from '../../src/weights/sight.ts'
import { writeModels } from '../support/models.ts'

test('a look tells which models\' files may have changed, and reads none', async (t) => {
  const folder = await writeModels(t, { 'a.safetensors': 'a', 'b/model.safetensors': 'b', 'b/config.json': '{}' })
  const signatures = async (): Promise<Record<string, string>> => Object.fromEntries([...(await lookAtModels(folder, () => {})).models].map(([name, { signature }]) => [name, signature]))
  let before = await signatures()
  assert.deepEqual(Object.keys(before), ['a', 'b'])
  assert.deepEqual(await signatures(), before)
  const changes: ReadonlyArray<readonly [model: string, change: () => Promise<void>]> = [
    ['a', async () => await writeFile(join(folder, 'a.safetensors'), 'aa')],
    ['a', async () => await utimes(join(folder, 'a.safetensors'), 1, 1)],
    ['b', async () => await writeFile(join(folder, 'b/config.json'), '{ }')],
    ['b', async () => await writeFile(join(folder, 'b/feedback.mjs'), '')],
    ['b', async () => await rm(join(folder, 'b/config.json'))]
  ]
  for (const [model, change] of changes) {
    await change()
    const after = await signatures()
    assert.deepEqual(Object.keys(after).filter((name) => after[name] !== before[name]), [model])
    before = after
  }
})

test('links are followed, whatever they lead over', async (t) => {
  const folder = await writeModels(t, { '..one/a.safetensors': 'same', '..two/a.safetensors': 'same' })
  await symlink('..one', join(folder, '..data'))
  await symlink('..data/a.safetensors', join(folder, 'a.safetensors'))
  const signature = async (): Promise<string | undefined> => (await lookAtModels(folder, () => {})).models.get('a')?.signature
  const before = await signature()
  await symlink('..two', join(folder, '..next'))
  await rename(join(folder, '..next'), join(folder, '..data'))
  assert.notEqual(await signature(), before)
  await rm(join(folder, '..two'), { recursive: true })
  assert.match(String(await signature()), /^ENOENT$/)
})

test('what has no name is a fault beside the models that have one; a folder without any throws', async (t) => {
  const folder = await writeModels(t, { 'a.safetensors': '', 'b/model.keras': '' })
  const { models, faults } = await lookAtModels(folder, () => {})
  assert.deepEqual([...models.keys()], ['a'])
  assert.match(faults.join(), /b\/model\.keras: is a Keras file/)
  await mkdir(join(folder, 'empty'))
  await assert.rejects(lookAtModels(join(folder, 'empty'), () => {}), { name: 'ModelsError', message: /has no model/ })
})
