import type { Engine } from '../../src/engine/engine.ts'
import { createNativeEngine, nativeKernels } from '../../src/engine/native.ts'
import { createTfjsEngine, type TfjsBackend } from '../../src/engine/tfjs.ts'
import { withoutAddon } from './addon.ts'

/** All engines on this machine: the native engine for each instruction set, TensorFlow.js for each backend. */
export async function everyEngine (): Promise<ReadonlyMap<string, Engine>> {
  const engines = new Map<string, Engine>()
  for (const isa of withoutAddon === false ? nativeKernels() : []) engines.set(`native, ${isa}`, createNativeEngine({ threads: 1, inlineBelow: Infinity, isa }))
  for (const backend of ['wasm', 'tensorflow'] as const) {
    const engine = await startTfjs(backend)
    if (engine !== undefined) engines.set(`TensorFlow.js, ${backend}`, engine)
  }
  return engines
}

/** Starts the backend. Returns undefined if tfjs-node is not installed, unless the environment requires it. */
export async function startTfjs (backend: TfjsBackend): Promise<Engine | undefined> {
  try {
    return await createTfjsEngine(backend)
  } catch (error) {
    if (backend === 'wasm' || process.env.TEST_REQUIRE_TFJS_NODE !== undefined) throw error
    return undefined
  }
}
