import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadModels } from '../../src/load.ts'
import { InputError } from '../../src/errors.ts'
import { ModelsError } from '../../src/weights/folder.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { testDeps } from '../support/app.ts'
import { onlyFull, scaled } from '../support/full.ts'
import { writeModels } from '../support/models.ts'
import { customLstm, f32, writeSafetensors } from '../support/safetensors.ts'
import { createDice } from '../support/dice.ts'

const FILES = scaled(3000, 50)

// Under a prefix: what is beside a cell without one must be used.
const CELL = Object.fromEntries(Object.entries(customLstm(4, 8, 4)).map(([name, tensor]) => [`cell.${name}`, tensor]))
const MODEL = { ...CELL, p: f32([8, 4], new Array(32).fill(0.1)), q: f32([8], new Array(8).fill(0.1)) }

const CONFIGS = [
  {}, { default: true }, { feedback: { policy: 'none' } }, { feedback: { policy: 'repeat' } }, { feedback: { policy: 'concat' } },
  { feedback: { policy: 'projection', weight: 'p', bias: 'q' } }, { feedback: { policy: 'attention', combine: 'concat', residual: true } },
  { cell: { kind: 'lstm', gates: 'figo', forget_bias: 1, prefix: 'cell' }, feedback: { policy: 'repeat' } }
].map((config) => JSON.stringify(config))

const PARTS = [
  '{', '}', '[', ']', '"', ':', ',', 'null', 'true', '1', '-1', '1e999', '"policy"', '"feedback"', '"projection"', '"identity"', '"module"', '"sum"', '"weight"', '"p"',
  '"none"', '"__proto__"', '"constructor"', '{}', '[]', '\n', '\u0000', '\ufeff', '\\u0041', '"bias":"cell.hidden_linear.bias"', '"combine":"sum"', '"cell":{"transposed":true}', '"cell":{"gates":"ifog"},', '"kind":"gru"', '"'.padEnd(300, 'x')
]

/** Every model loads and answers, or the start stops with one line that names the file. */
async function load (folder: string, file: string): Promise<'served' | 'refused'> {
  try {
    for (const model of await loadModels(folder, await testDeps())) {
      const { I } = model.shape
      await model.sequence({ x: new Tensor([2, I], new Float32Array(2 * I)) }).catch((error: unknown) => assert.ok(error instanceof InputError, String(error)))
    }
    return 'served'
  } catch (error) {
    assert.ok(error instanceof ModelsError, `${error instanceof Error ? error.stack : String(error)}`)
    assert.match(error.message, /^[^\n]+$/)
    assert.ok(error.message.includes(file), error.message)
    assert.doesNotMatch(error.message, /undefined|is not a function|Cannot read|is not iterable/)
    assert.ok(error.message.length < 2000, error.message)
    return 'refused'
  }
}

test(`${FILES} spoilt config.json: each is served, or stops the start with one line that names it`, async (t) => {
  const folder = await writeModels(t, { 'm/model.safetensors': writeSafetensors(MODEL) })
  const dice = createDice(1)
  const counts = { served: 0, refused: 0 }
  for (let n = 0; n < FILES; n++) {
    let config: string = dice.pick(CONFIGS)
    for (let edits = dice.below(4); edits > 0; edits--) {
      const at = dice.below(config.length + 1)
      config = config.slice(0, at) + (dice.chance(0.6) ? dice.pick(PARTS) : '') + config.slice(at + dice.below(dice.chance(0.8) ? 2 : 12))
    }
    await writeFile(join(folder, 'm/config.json'), config)
    counts[await load(folder, 'm/config.json')]++
  }
  assert.ok(counts.served > FILES / 6 && counts.refused > FILES / 2, JSON.stringify(counts))
})

test(`${FILES} spoilt model files: each is served, or stops the start with one line that names it`, async (t) => {
  const folder = await writeModels(t, {})
  const dice = createDice(2)
  const counts = { served: 0, refused: 0 }
  const good = Buffer.from(writeSafetensors(MODEL))
  const header = 8 + Number(good.readBigUInt64LE())
  for (let n = 0; n < FILES; n++) {
    let file = Buffer.from(good)
    for (let edits = 1 + dice.below(2); edits > 0; edits--) {
      // Mostly in the header, which stays JSON.
      const at = dice.chance(0.9) ? 8 + dice.below(header - 8) : dice.below(file.length)
      const digit = file[at] >= 0x30 && file[at] <= 0x39
      if (digit) file[at] = 0x30 + dice.below(10)
      else if (dice.chance(0.6)) file[at] = dice.pick([...Buffer.from('abcdefgimw_.0"')])
      else file = file.subarray(0, dice.chance(0.5) ? file.length : at)
    }
    await writeFile(join(folder, 'n.safetensors'), file)
    counts[await load(folder, 'n.safetensors')]++
  }
  assert.ok(counts.served > FILES / 30 && counts.refused > FILES / 3, JSON.stringify(counts))
})

test('a file of a hundred thousand tensors without a cell is rejected in one line', onlyFull('takes seconds'), async (t) => {
  const names = Array.from({ length: 100_000 }, (_, i) => [`layer.${i}.weight`, f32([1], [0])] as const)
  const folder = await writeModels(t, { 'many.safetensors': writeSafetensors(Object.fromEntries(names)) })
  assert.equal(await load(folder, 'many.safetensors'), 'refused')
})
