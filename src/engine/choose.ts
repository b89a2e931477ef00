import type { Engine, EngineName } from './engine.ts'
import { createNativeEngine } from './native.ts'
import { createTfjsEngine } from './tfjs.ts'

/**
 * Starts the engine of that name; `auto` takes native where its addon loads, else TensorFlow.js.
 *
 * @param threads compute threads of the native engine; left out, as many as the cores that the process may use.
 * @throws Error where it cannot be started; the message says why.
 */
export async function chooseEngine (name: EngineName | 'auto', threads?: number): Promise<Engine> {
  if (name === 'tfjs') return await createTfjsEngine()
  try {
    return createNativeEngine({ threads })
  } catch (error) {
    if (name === 'native') throw error
    return await createTfjsEngine()
  }
}
