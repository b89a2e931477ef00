import { deserialize, serialize } from 'node:v8'
import type { Floats } from '../../../weights/layouts/floats.ts'
import type { Attributes, Hdf5Contents } from './hdf5-contents.ts'
import { piecesOf } from './pieces.ts'

/** What the reading process sends: each tensor, followed by its numbers, and finally the attributes of all groups. */
type Message = { readonly path: string, readonly shape: readonly number[], readonly count: number } | { readonly attributes: Attributes }

export function tensorMessage (path: string, { shape, data }: Floats): Uint8Array[] {
  return [...encode({ path, shape, count: data.length }), new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]
}

export function lastMessage (attributes: Attributes): Uint8Array[] {
  return encode({ attributes })
}

function encode (message: Message): Uint8Array[] {
  const bytes = serialize(message)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  return [length, bytes]
}

/**
 * Receives the messages.
 *
 * @param hear receives the number of tensor bytes that have arrived.
 * @throws Error if the stream ends before the last message.
 */
export async function receive (stream: AsyncIterable<Buffer>, hear: (bytes: number) => void): Promise<Hdf5Contents> {
  const take = piecesOf(stream)
  const tensors = new Map<string, Floats>()
  let bytes = 0
  for (;;) {
    const message: Message = deserialize(await take((await take(4)).readUInt32LE()))
    if ('attributes' in message) return { attributes: message.attributes, tensors }
    const { path, shape, count } = message
    const { buffer, byteOffset } = await take(count * Float32Array.BYTES_PER_ELEMENT)
    tensors.set(path, { shape, data: new Float32Array(buffer, byteOffset, count) })
    bytes += count * Float32Array.BYTES_PER_ELEMENT
    hear(bytes)
  }
}
