import type { Dataset, File, Group } from 'h5wasm'
import type { Floats } from '../../../weights/layouts/floats.ts'
import { ImportError, quote } from '../import-error.ts'
import { loadReader } from '../library.ts'
import { numbersOf } from '../tensors.ts'

/** The text attributes of groups, by path without a leading slash; the root's path is empty. */
export type Attributes = ReadonlyMap<string, Readonly<Record<string, string | readonly string[]>>>

/** The parts of an HDF5 file that are read. */
export interface Hdf5Contents {
  readonly attributes: Attributes
  /** The datasets of floating-point numbers, by path. */
  readonly tensors: ReadonlyMap<string, Floats>
}

/** What the reading process writes to standard error when the library has started. */
export const STARTED = 'started\n'

const NAME = 'file.h5'
/** Where Keras stores a model's weights; the optimizer's state is left out. */
const ROOTS = ['layers', 'model_weights']
const ATTRIBUTES = ['model_config', 'keras_version', 'weight_names']
/** Groups can contain each other in a cycle. */
const DEEPEST = 16
const MOST_OBJECTS = 20_000

/**
 * Reads an HDF5 file in memory, where links to other files cannot be followed.
 *
 * @param bytes owned by the library after the call.
 * @param started called when the library has started, before it reads.
 * @param give receives each dataset of floating-point numbers.
 * @returns the attributes.
 * @throws ImportError or another Error if the file is not HDF5 or is broken. A broken file can also make it run forever.
 */
export async function readContents (bytes: Uint8Array, started: () => unknown, give: (path: string, tensor: Floats) => void): Promise<Attributes> {
  const { default: h5wasm } = await loadReader('h5wasm', async () => await import('h5wasm'))
  const library = await h5wasm.ready
  started()
  // Otherwise the library prints its errors.
  library.activate_throwing_error_handler()
  library.FS.createDataFile('/', NAME, bytes, true, false, true)
  const file: File = new h5wasm.File(NAME, 'r')

  const attributes = new Map<string, Record<string, string | readonly string[]>>()
  // Keras does not compress, so the contents cannot be larger than the file.
  let room = bytes.byteLength
  let objects = 0
  const take = (what: string, { size, total_size: count }: { size: number, total_size: number }): void => {
    room -= size * count
    if (!(room >= 0)) throw new ImportError(`its ${quote(what)} declares ${size * count} bytes; the whole file has ${bytes.byteLength}`)
  }

  function readAttributes (path: string, group: Group): void {
    const found: Record<string, string | readonly string[]> = {}
    const { attrs } = group
    for (const name of ATTRIBUTES.filter((each) => Object.hasOwn(attrs, each))) {
      const attribute = attrs[name]
      take(`${path} ${name}`, attribute.metadata)
      const { value } = attribute
      if (typeof value === 'string') found[name] = value
      else if (Array.isArray(value)) found[name] = value.map(String)
    }
    attributes.set(path, found)
  }

  function readTensor (path: string, dataset: Dataset): void {
    const { metadata } = dataset
    take(path, metadata)
    const { value } = dataset
    const shape = metadata.shape ?? []
    if (!(value instanceof Float32Array || value instanceof Float64Array)) return
    if (value.length !== numbersOf(shape)) throw new ImportError(`${quote(path)} has ${value.length} numbers, and its shape is [${shape.join(', ')}]`)
    give(path, { shape, data: value instanceof Float32Array ? value : Float32Array.from(value) })
  }

  function walk (path: string, depth: number): void {
    const found = file.get(path)
    if (++objects > MOST_OBJECTS || depth > DEEPEST) throw new ImportError(`has groups in groups without end: ${quote(path)}`)
    if (found instanceof h5wasm.Dataset) readTensor(path, found)
    if (!(found instanceof h5wasm.Group)) return
    readAttributes(path, found)
    for (const key of found.keys()) walk(`${path}/${key}`, depth + 1)
  }

  readAttributes('', file)
  const keys = file.keys()
  for (const root of ROOTS) if (keys.includes(root)) walk(root, 0)
  return attributes
}
