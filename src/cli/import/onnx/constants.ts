import { open } from 'node:fs/promises'
import { decodeFloats, decodeIntegers } from '../../../tensor/dtypes.ts'
import type { Floats } from '../../../weights/layouts/floats.ts'
import { ImportError, quote } from '../import-error.ts'
import { pathInside } from '../inside.ts'
import { numbersOf } from '../tensors.ts'
import type { TensorProto } from './messages.ts'

/** `TensorProto.DataType` as safetensors dtypes. */
const DTYPES: Readonly<Record<number, string>> = { 1: 'F32', 6: 'I32', 7: 'I64', 10: 'F16', 11: 'F64', 16: 'BF16' }

/** A constant's numbers as float32. @throws ImportError if its data type is unsupported, or the count does not match its shape */
export function floatsOf (tensor: TensorProto): Floats {
  const { name, type, dims: shape, raw, numbers } = tensor
  const data = raw === undefined ? Float32Array.from(numbers) : decodeFloats(DTYPES[type] ?? '', raw) ?? Float32Array.from(decodeIntegers(DTYPES[type] ?? '', raw) ?? [])
  if (!Object.hasOwn(DTYPES, type)) throw new ImportError(`tensor ${quote(name)} has the data type ${type}, expected floats`)
  if (data.length !== numbersOf(shape)) throw new ImportError(`tensor ${quote(name)} has ${data.length} numbers, and its shape is [${shape.join(', ')}]`)
  return { shape, data }
}

/**
 * Reads a tensor's numbers from an external file.
 *
 * @param room the bytes of each file that no tensor has claimed yet; tensors cannot share bytes.
 * @throws ImportError if the file is not in the folder, or is too short.
 */
export async function readExternal (tensor: TensorProto, folder: string, room: Map<string, number>): Promise<void> {
  const location = tensor.external.get('location')
  if (location === undefined) return
  const path = await pathInside(folder, location)
  const file = await open(path)
  try {
    const found = await file.stat()
    const offset = Number(tensor.external.get('offset') ?? 0)
    const length = Number(tensor.external.get('length') ?? found.size - offset)
    if (!found.isFile() || !(offset >= 0 && length >= 0 && offset + length <= found.size)) throw new ImportError(`tensor ${quote(tensor.name)}: ${quote(location)} has ${found.size} bytes, expected ${length} from ${offset} on`)
    const left = (room.get(path) ?? found.size) - length
    if (left < 0) throw new ImportError(`tensor ${quote(tensor.name)}: ${quote(location)} has fewer bytes than all its tensors need`)
    room.set(path, left)
    const raw = Buffer.alloc(length)
    await file.read(raw, 0, length, offset)
    tensor.raw = raw
  } finally {
    await file.close()
  }
}
