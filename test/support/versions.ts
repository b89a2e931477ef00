import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadModels } from '../../src/load.ts'
import type { Model } from '../../src/model/model.ts'
import { testDeps } from './app.ts'
import { writeModels } from './models.ts'
import { customLstm, writeSafetensors } from './safetensors.ts'
import type { Closing } from './closing.ts'

/** Versions of one model: cells of different sizes, all of which read an x of two numbers. */
export const VERSIONS: readonly Uint8Array[] = [3, 4, 5].map((Ho) => writeSafetensors(customLstm(2, Ho, Ho)))

/** Replaces a file atomically. */
export async function replaceFile (folder: string, name: string, bytes: string | Uint8Array): Promise<void> {
  await writeFile(join(folder, '.new'), bytes)
  await rename(join(folder, '.new'), join(folder, name))
}

/** Loads the same versions without a service, by hash, to compare answers with. */
export async function loadVersions (t: Closing): Promise<Map<string, Model>> {
  const deps = await testDeps()
  const models = new Map<string, Model>()
  for (const bytes of VERSIONS) {
    const [model] = await loadModels(await writeModels(t, { 'm.safetensors': bytes }), deps)
    models.set(model.version, model)
  }
  return models
}
