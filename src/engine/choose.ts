import { messageOf } from '../errors.ts'
import type { Engine, EngineName } from './engine.ts'
import { createNativeEngine } from './native.ts'

export interface EngineOptions {
  /** Compute threads of the native engine; by default as many as the cores that the process may use. */
  readonly threads?: number | undefined
  /** Its instruction set; by default the best that the CPU has. */
  readonly isa?: string | undefined
  /** Receives the reason if `auto` does not choose native. */
  readonly warn?: (reason: string) => void
}

/**
 * Starts the engine with that name; `auto` chooses native if its addon loads, else TensorFlow.js.
 *
 * @throws Error if it cannot be started; the message says why.
 */
export async function chooseEngine (name: EngineName | 'auto', { threads, isa, warn }: EngineOptions = {}): Promise<Engine> {
  if (name === 'tfjs') return await startTfjs()
  try {
    return createNativeEngine({ threads, isa })
  } catch (error) {
    // Only the native engine has instruction sets, so a request for one is a request for that engine.
    if (name === 'native' || isa !== undefined) throw error
    const engine = await startTfjs(error)
    warn?.(messageOf(error))
    return engine
  }
}

/** Imported only when needed: an installation may leave TensorFlow.js out. `instead` is why the native engine is not available. */
async function startTfjs (instead?: unknown): Promise<Engine> {
  try {
    const { createTfjsEngine } = await import('./tfjs.ts')
    return await createTfjsEngine()
  } catch (error) {
    if (!isNotFound(error)) throw error
    throw new Error(`${instead instanceof Error ? `${instead.message}; ` : ''}TensorFlow.js is not part of this installation`)
  }
}

function isNotFound (error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
}
