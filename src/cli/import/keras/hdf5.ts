import type { Floats } from '../../../weights/layouts/floats.ts'
import { ImportError, quote } from '../import-error.ts'
import { loadLibrary } from '../library.ts'
import { numbersOf } from '../tensors.ts'

/** An open HDF5 file. */
export interface Hdf5 {
  /** Whether there is a group at a path. */
  hasGroup (path: string): boolean
  /** The text or the texts of an attribute of a group; undefined if there is none. */
  attribute (path: string, name: string): string | readonly string[] | undefined
  /** A dataset as float32; undefined if there is none. @throws ImportError if it is not one of numbers that the file holds. */
  floats (path: string): Floats | undefined
}

const NAME = 'file.h5'

/**
 * Reads an HDF5 file in memory: links that lead out of it lead nowhere.
 *
 * @throws ImportError if it is none, or is broken.
 */
export async function readHdf5<T> (bytes: Uint8Array, read: (file: Hdf5) => T): Promise<T> {
  const { default: h5wasm } = await loadLibrary('h5wasm', async () => await import('h5wasm'))
  const library = await h5wasm.ready
  // Otherwise the library prints its errors.
  library.activate_throwing_error_handler()
  library.FS.writeFile(NAME, bytes)
  try {
    const file = new h5wasm.File(NAME, 'r')
    try {
      return read({
        hasGroup: (path) => file.get(path) instanceof h5wasm.Group,
        attribute (path, name) {
          const group = file.get(path)
          if (!(group instanceof h5wasm.Group) || !Object.hasOwn(group.attrs, name)) return undefined
          const attribute = group.attrs[name]
          checkSize(`${path} ${name}`, attribute.metadata, bytes.byteLength)
          const { value } = attribute
          return typeof value === 'string' ? value : Array.isArray(value) ? value.map(String) : undefined
        },
        floats (path) {
          const dataset = file.get(path)
          if (!(dataset instanceof h5wasm.Dataset)) return undefined
          const { metadata } = dataset
          checkSize(path, metadata, bytes.byteLength)
          const { value } = dataset
          const shape = metadata.shape ?? []
          if (!(value instanceof Float32Array || value instanceof Float64Array) || value.length !== numbersOf(shape)) throw new ImportError(`${quote(path)} is not a tensor of float32 or float64`)
          return { shape, data: value instanceof Float32Array ? value : Float32Array.from(value) }
        }
      })
    } finally {
      file.close()
    }
  } catch (error) {
    if (error instanceof ImportError) throw error
    throw new ImportError(`is not an HDF5 file that can be read: ${error instanceof Error ? firstLine(error.message) : String(error)}`)
  } finally {
    library.FS.unlink(NAME)
  }
}

/** Keras compresses nothing, so what is larger than its file is not in it. */
function checkSize (what: string, { size, total_size: count }: { size: number, total_size: number }, most: number): void {
  if (size * count > most) throw new ImportError(`${quote(what)} declares ${size * count} bytes, more than the ${most} of the file`)
}

function firstLine (text: string): string {
  return text.trim().split('\n', 1)[0]
}
