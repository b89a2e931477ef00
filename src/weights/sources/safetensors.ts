import { parseSafetensors, type StoredTensor } from '../../tensor/safetensors.ts'
import { readWhole } from './file.ts'

/**
 * Reads the tensors of a safetensors file.
 *
 * @throws Error that says what is wrong with it.
 */
export async function readSafetensors (path: string): Promise<ReadonlyMap<string, StoredTensor>> {
  return parseSafetensors(await readWhole(path))
}
