import { parseSafetensors, type StoredTensor } from '../../tensor/safetensors.ts'
import { readWhole } from './file.ts'

/** A file of tensors. */
interface TensorFile {
  readonly bytes: Uint8Array
  readonly tensors: ReadonlyMap<string, StoredTensor>
}

/**
 * Reads a safetensors file.
 *
 * @throws Error that says what is wrong with it.
 */
export async function readSafetensors (path: string): Promise<TensorFile> {
  const bytes = await readWhole(path)
  return { bytes, tensors: parseSafetensors(bytes) }
}
