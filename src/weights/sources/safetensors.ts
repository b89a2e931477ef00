import { parseSafetensors, type StoredTensor } from '../../tensor/safetensors.ts'
import { readWhole } from './file.ts'
import { describeContents } from './foreign.ts'

/**
 * Reads a safetensors file: its bytes, and the tensors in them.
 *
 * @throws Error that says what is wrong with it.
 */
export async function readSafetensors (path: string): Promise<{ bytes: Uint8Array, tensors: ReadonlyMap<string, StoredTensor> }> {
  const bytes = await readWhole(path)
  try {
    return { bytes, tensors: parseSafetensors(bytes) }
  } catch (error) {
    const other = describeContents(bytes)
    throw other === undefined ? error : new Error(`is ${other}`)
  }
}
