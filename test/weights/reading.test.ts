import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startReading } from '../../src/weights/reading.ts'
import { writeModels } from '../support/models.ts'
import { customLstm, writeSafetensors } from '../support/safetensors.ts'

/** How nice each thread of this process is to others: the 17th number after its name. */
async function nicenesses (): Promise<number[]> {
  const threads = await readdir('/proc/self/task')
  return await Promise.all(threads.map(async (thread) => Number(/\) (.*)/.exec(await readFile(`/proc/self/task/${thread}/stat`, 'utf8'))?.[1].split(' ')[16])))
}

test('models are read by a thread to which all others are preferred', { skip: process.platform !== 'linux' && 'threads have priorities of their own on Linux alone' }, async (t) => {
  const folder = await writeModels(t, { 'm.safetensors': writeSafetensors(customLstm(2, 3, 3)) })
  const before = (await nicenesses()).filter((niceness) => niceness === constants.priority.PRIORITY_LOW)
  const reading = startReading()
  t.after(() => reading.close())
  const { version, stored } = await reading.read({ name: 'm', path: join(folder, 'm.safetensors'), folder: undefined })
  assert.match(version, /^[\da-f]{64}$/)
  assert.ok(stored.size > 0)
  const after = await nicenesses()
  assert.equal(after.filter((niceness) => niceness === constants.priority.PRIORITY_LOW).length, before.length + 1)
  assert.ok(after.some((niceness) => niceness < constants.priority.PRIORITY_LOW))
})
