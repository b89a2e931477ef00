import { basename, extname } from 'node:path'
import { exists, readWhole } from '../../weights/sources/file.ts'
import type { Description } from './description.ts'
import { ImportError } from './import-error.ts'
import { describeH5 } from './keras/h5.ts'
import { describeKerasArchive } from './keras/keras.ts'
import { describeOnnx } from './onnx/onnx.ts'
import { describeTfjs } from './tfjs/tfjs.ts'

/** @param read receives the share of the file that is read, from 0 to 1; called only by slow readers. */
type Reader = (bytes: Buffer, path: string, read: (share: number) => void) => Description | Promise<Description>

const readH5: Reader = async (bytes, _, read) => await describeH5(bytes, read)

const READERS: Readonly<Record<string, Reader>> = {
  '.keras': async (bytes, _, read) => await describeKerasArchive(bytes, read),
  '.h5': readH5,
  '.hdf5': readH5,
  '.json': describeTfjs,
  '.onnx': describeOnnx
}

/**
 * Reads a model's file. Its extension determines the format.
 *
 * @param read receives the share that is read, from 0 to 1.
 * @throws ImportError or InputError if the file does not have that format; the message does not name the file.
 */
export async function describeFile (path: string, read: (share: number) => void): Promise<Description> {
  const ending = extname(path).toLowerCase()
  if (PICKLES.includes(ending)) throw new ImportError('is a PyTorch pickle, which is a program and is not run here; in Python:', saving(path))
  if (!Object.hasOwn(READERS, ending)) throw new ImportError(`is not a supported kind of file: expected ${Object.keys(READERS).join(', ')}`)
  if (!await exists(path)) throw new ImportError('does not exist')
  return await READERS[ending](await readWhole(path), path, read)
}

const PICKLES: readonly string[] = ['.pt', '.pth']

/** Python code that saves a pickle as safetensors, which the service reads directly. */
function saving (path: string): string {
  return [
    'import torch; from safetensors.torch import save_file',
    `save_file(torch.load(${JSON.stringify(path)}, map_location="cpu").state_dict(), "my-models/${basename(path, extname(path))}.safetensors")`
  ].map((line) => `    ${line}\n`).join('')
}
