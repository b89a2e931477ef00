import type { Engine, EngineName } from './engine.ts'
import { createTfjsEngine } from './tfjs.ts'

/**
 * Starts the engine of that name; `auto` takes the fastest that this machine has.
 *
 * @throws Error where it cannot be started; the message says why.
 */
export async function chooseEngine (name: EngineName | 'auto'): Promise<Engine> {
  if (name === 'native') throw new Error('the engine native is not built; --engine tfjs works everywhere')
  return await createTfjsEngine()
}
