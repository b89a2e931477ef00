import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadModels } from '../../../src/load.ts'
import { testDeps } from '../../support/app.ts'
import { writeModels } from '../../support/models.ts'
import { f32, writeSafetensors } from '../../support/safetensors.ts'

const zeros = (...shape: number[]) => f32(shape, new Array<number>(shape.reduce((a, b) => a * b)).fill(0))
const cell = (end: string) => ({ [`weight_ih_l0${end}`]: zeros(2, 3), [`weight_hh_l0${end}`]: zeros(2, 2) })

for (const [what, ends, of, message] of [
  ['one direction', [''], 'h_last', /\/readout\/of: h_last is for networks of two directions; in one direction "return_sequences": false in a request gives y of the last step \(/],
  ['two directions, with the steps', ['', '_reverse'], ['h', 'h_last'], /\/readout: is computed from h, once per step, and from h_last, once per row: expected one of them \(/],
  ['two directions, of another name', ['', '_reverse'], 'h_end', /\/readout\/of: a readout of a network of two directions is computed from h or h_last, not from h_end \(/],
  ['two directions, of another width', ['', '_reverse'], ['h_last', 'h_last'], /\/readout: \[h_last 4, h_last 4\] has 8 numbers, but tensor fc \[1, 4\] takes 4 \(/]
] as const) {
  test(`a readout of h_last, ${what}, is refused at the start`, async (t) => {
    const folder = await writeModels(t, {
      'm/model.safetensors': writeSafetensors({ ...Object.assign({}, ...ends.map(cell)), fc: zeros(1, 4) }),
      'm/config.json': JSON.stringify({ readout: { weight: 'fc', of } })
    })
    await assert.rejects(loadModels(folder, await testDeps()), { name: 'ModelsError', message })
  })
}
