/** A tensor as stored in a document: little-endian, row-major. */
export interface Stored {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

/** The eight bytes of the header's length; the data are aligned to the same size. */
const PREFIX = 8

/** Writes a safetensors document. All machines that run JavaScript are little-endian, so the tensors' memory is copied unchanged. */
export function writeSafetensors (tensors: ReadonlyArray<readonly [name: string, tensor: Stored]>): Uint8Array<ArrayBuffer> {
  let end = 0
  const entries = tensors.map(([name, { dtype, shape, bytes }]) => {
    const begin = end
    end += bytes.byteLength
    return [name, { dtype, shape, data_offsets: [begin, end] }]
  })
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  const length = Math.ceil(header.byteLength / PREFIX) * PREFIX
  const document = new Uint8Array(PREFIX + length + end)
  new DataView(document.buffer).setBigUint64(0, BigInt(length), true)
  document.set(header, PREFIX)
  document.fill(0x20, PREFIX + header.byteLength, PREFIX + length)
  let at = PREFIX + length
  for (const [, { bytes }] of tensors) {
    document.set(bytes, at)
    at += bytes.byteLength
  }
  return document
}

/**
 * Reads a safetensors document without copying.
 *
 * @throws RangeError or SyntaxError if it is not a safetensors document.
 */
export function readSafetensors (document: ArrayBuffer): Array<readonly [name: string, tensor: Stored]> {
  const length = Number(new DataView(document).getBigUint64(0, true))
  const header: Record<string, { dtype: string, shape: number[], data_offsets: [number, number] }> = JSON.parse(new TextDecoder().decode(new Uint8Array(document, PREFIX, length)))
  return Object.entries(header).filter(([name]) => name !== '__metadata__').map(([name, { dtype, shape, data_offsets: [begin, end] }]) =>
    [name, { dtype, shape, bytes: new Uint8Array(document, PREFIX + length + begin, end - begin) }])
}
