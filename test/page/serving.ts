import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import type { Model } from '../../page/src/app/model.ts'
import { buildTestApp } from '../support/app.ts'
import type { Closing } from '../support/closing.ts'
import { writeModels } from '../support/models.ts'
import { customLstm, f32, writeSafetensors } from '../support/safetensors.ts'

/** The demo models, whose names the tests know. */
export const DEMO = ['attention-decoder', 'bidirectional-lstm', 'custom-lstm', 'gru', 'matching-networks', 'symmetric']

/** Numbers that differ. */
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => Math.sin(i + 1))

/** The demo models, and others that take what those do not. */
export async function serveAll (t: Closing, ...flags: readonly string[]) {
  const models = await writeModels(t, {
    // One number a step.
    'wave/model.safetensors': writeSafetensors(customLstm(1, 2, 2)),
    'wave/config.json': '{"feedback": {"policy": "identity"}}',
    // Ids, and a readout.
    'speller/model.safetensors': writeSafetensors({ ...customLstm(3, 4, 4), table: f32([7, 3], numbers(21)), 'out.weight': f32([5, 4], numbers(20)) }),
    'speller/config.json': '{"feedback": {"policy": "identity"}, "input": {"embedding": "table"}, "readout": {"weight": "out.weight"}}',
    // Vectors of the request.
    'told/model.safetensors': writeSafetensors(customLstm(2, 7, 3)),
    'told/config.json': '{"feedback": {"policy": "concat"}}',
    // No x at all.
    'dreamer/model.safetensors': writeSafetensors(customLstm(3, 3, 3)),
    'dreamer/config.json': '{"feedback": {"policy": "wiring", "x": ["h"], "h_in": ["h"]}}',
    // A let, of a read.
    'luong/model.safetensors': writeSafetensors({ ...customLstm(5, 3, 3), 'w.weight': f32([3, 6], numbers(18)) }),
    'luong/config.json': '{"feedback": {"policy": "wiring", "read": {"score": "dot"}, "let": {"attentional": {"weight": "w.weight", "activation": "tanh", "of": ["read", "h"]}}, "x": ["x", "attentional"], "h_in": ["h"]}}',
    // What feeds it only clients know.
    'bare.safetensors': writeSafetensors(customLstm(2, 5, 3))
  })
  for (const name of DEMO) await cp(join('models', name), join(models, name), { recursive: true })
  return await buildTestApp(t, '--models', models, '--default-model', 'custom-lstm', ...flags)
}

/** What such a service says of its models. */
export async function describeAll (app: Awaited<ReturnType<typeof serveAll>>): Promise<Model[]> {
  const { models }: { models: Model[] } = (await app.inject('/models')).json()
  return models
}
