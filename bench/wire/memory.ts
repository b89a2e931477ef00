/**
 * The service's memory over a million requests in JSON and safetensors, some of them rejected:
 *
 *     npm run bench:memory               writes bench/results/memory.md
 */
import { writeFile } from 'node:fs/promises'
import { SAFETENSORS } from '../../src/wire/safetensors.ts'
import { post, postBytes } from '../../test/support/http.ts'
import { f32, writeSafetensors } from '../../test/support/safetensors.ts'
import { load } from '../load/client.ts'
import { startCellserve } from '../load/servers.ts'

const REQUESTS = 1_000_000
const PARTS = 10

const rows = [1, 2, 7]
const random = (length: number): number[] => Array.from({ length }, () => Math.random() * 2 - 1)
const json = rows.map((B) => post('/step', { x: Array.from({ length: B }, () => random(2)), h_in: random(6) }))
const bytes = rows.map((B) => postBytes('/step', SAFETENSORS, writeSafetensors({ x: f32([B, 2], random(2 * B)), c_in: f32([3], random(3)) })))
const sequences = rows.map((B) => postBytes('/sequence?return=last', SAFETENSORS, writeSafetensors({ x: f32([B, 5, 2], random(10 * B)) })))
const wrong = [post('/step', { x: [1, 2, 3] }), postBytes('/step', 'application/json', Buffer.from('{"x": [[')), postBytes('/step', SAFETENSORS, Buffer.from('nothing'))]
const requests = [...json, ...bytes, ...sequences, ...json, ...bytes, ...wrong]

const server = await startCellserve('cellserve', new URL('../../models', import.meta.url).pathname, ['--default-model', 'custom-lstm'])
const lines = ['# Memory over a million requests', '', 'JSON, safetensors, and some that are refused. Written by `npm run bench:memory`.', '', '| requests | resident, MiB |', '| ---: | ---: |']
const statuses = new Map<number, number>()
let sent = 0
for (let part = 0; part <= PARTS; part++) {
  while (sent < REQUESTS * part / PARTS) {
    const { statuses: some } = await load(server.port, 32, requests, 1000)
    for (const [status, count] of some) {
      statuses.set(status, (statuses.get(status) ?? 0) + count)
      sent += count
    }
  }
  lines.push(`| ${sent} | ${(await server.memory()).toFixed(0)} |`)
  console.log(lines[lines.length - 1])
}
lines.push('', `Answers: ${[...statuses].map(([status, count]) => `${count} of ${status}`).join(', ')}.`)
console.log(lines[lines.length - 1])
await server.stop()
await writeFile(new URL('../results/memory.md', import.meta.url), lines.join('\n') + '\n')
