import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Precision } from '../../src/network/precision.ts'
import { ModelsError, readModel, type ModelFile } from '../../src/weights/folder.ts'
import { findPlaces } from '../../src/weights/places.ts'
import { customLstm, f32, writeSafetensors } from './safetensors.ts'

/** Writes a models folder with these files, by relative path. It is removed after the test. */
export async function writeModels (t: Pick<TestContext, 'after'>, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-'))
  t.after(() => rm(folder, { recursive: true }))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), content)
  }
  return folder
}

/** One model `overflowing`, I = 2, Hi = Ho = 3, whose first gate is `4 x_0 + 4 x_1` and so on: infinity minus infinity for large x. */
export async function overflowingModels (t: Pick<TestContext, 'after'>, weights: Precision = 'f32'): Promise<string> {
  return await writeModels(t, {
    'overflowing/model.safetensors': writeSafetensors({
      ...customLstm(2, 3, 3, -4),
      'input_linear.weight': f32([12, 2], new Array(24).fill(4))
    }),
    'overflowing/config.json': JSON.stringify({ weights })
  })
}

/** Reads the models of a folder. @throws ModelsError for the first one that cannot be read */
export async function readModels (directory: string, warn?: (message: string) => void): Promise<ModelFile[]> {
  const models: ModelFile[] = []
  for (const place of await findPlaces(directory, warn ?? (() => {}))) {
    if (place instanceof ModelsError) throw place
    models.push(withLayers(await readModel(place)))
  }
  return models
}

/** @throws ModelsError if its tensors do not form a network. */
function withLayers (model: ModelFile): ModelFile {
  assert.ok(model.layers.nodes.length > 0)
  return model
}

/** One model `speller`: an embedding of 5 rows in front, I = 2, Hi = Ho = 3, a readout of 4. */
export async function spellerModels (t: Pick<TestContext, 'after'>): Promise<string> {
  const some = (shape: readonly number[]) => f32(shape, Array.from({ length: shape[0] * shape[1] }, (_, i) => (i % 7 - 3) / 5))
  return await writeModels(t, {
    'speller/model.safetensors': writeSafetensors({ ...customLstm(2, 3, 3), 'embedding.weight': some([5, 2]), 'out.weight': some([4, 3]) }),
    'speller/config.json': '{"input": {"embedding": "embedding.weight"}, "readout": {"weight": "out.weight"}}'
  })
}
