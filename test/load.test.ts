import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test, type TestContext } from 'node:test'
import { findAddon } from '../src/engine/addon.ts'
import { onlyFull } from './support/full.ts'
import { writeModels } from './support/models.ts'
import { ADDRESS, run } from './support/process.ts'
import { f32, writeSafetensors } from './support/safetensors.ts'

const UNITS = 512
const MODELS = 24

/** The most memory that a service has had as it begins to listen, in bytes. */
async function peakOf (t: TestContext, models: string): Promise<number> {
  const service = run(t, '--models', models, '--port', '0', '--engine', 'native')
  await service.line(ADDRESS)
  const [, kibibytes] = /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${service.pid}/status`, 'utf8')) ?? assert.fail('no VmHWM')
  service.stop()
  await service.ended
  return Number(kibibytes) * 1024
}

const skip = process.platform !== 'linux' || findAddon() === undefined ? 'takes the addon, and the /proc of Linux' : onlyFull('takes seconds').skip

test('many models take little more memory while they load than their weights', { skip }, async (t) => {
  const filled = (...shape: number[]) => f32(shape, new Array<number>(shape.reduce((a, b) => a * b)).fill(0.01))
  const matrices = { weight_ih: filled(4 * UNITS, UNITS), weight_hh: filled(4 * UNITS, UNITS) }
  const file = (i: number): Uint8Array => writeSafetensors({ ...matrices, bias_ih: f32([4 * UNITS], new Array<number>(4 * UNITS).fill(i)), bias_hh: filled(4 * UNITS) })
  const folder = await writeModels(t, Object.fromEntries(Array.from({ length: MODELS }, (_, i) => [`m${i}.safetensors`, file(i)])))
  const few = await peakOf(t, 'models')
  const many = await peakOf(t, folder)
  const ratio = (many - few) / (MODELS * file(0).byteLength)
  t.diagnostic(`${ratio.toFixed(2)} times the weights`)
  assert.ok(ratio < 1.75, `${ratio} times the weights`)
})
