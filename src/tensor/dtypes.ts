/** Every dtype of the safetensors format, with its width in bits. */
export const DTYPE_BITS: Readonly<Record<string, number>> = Object.fromEntries(Object.entries({
  4: ['F4'],
  6: ['F6_E2M3', 'F6_E3M2'],
  8: ['BOOL', 'U8', 'I8', 'F8_E5M2', 'F8_E4M3', 'F8_E8M0'],
  16: ['U16', 'I16', 'F16', 'BF16'],
  32: ['U32', 'I32', 'F32'],
  64: ['U64', 'I64', 'F64', 'C64']
}).flatMap(([bits, dtypes]) => dtypes.map((dtype) => [dtype, Number(bits)])))

type Decode = (view: DataView, out: Float32Array) => void

/** How the floating-point dtypes become float32. F64 rounds to nearest; the others are exact. */
const DECODE: Readonly<Record<string, Decode>> = {
  F32: (view, out) => { for (let i = 0; i < out.length; i++) out[i] = view.getFloat32(i * 4, true) },
  F64: (view, out) => { for (let i = 0; i < out.length; i++) out[i] = view.getFloat64(i * 8, true) },
  F16: (view, out) => { for (let i = 0; i < out.length; i++) out[i] = halfToFloat(view.getUint16(i * 2, true)) },
  BF16: (view, out) => {
    // A bfloat16 is the upper half of a float32.
    const bits = new Uint32Array(out.buffer, out.byteOffset, out.length)
    for (let i = 0; i < out.length; i++) bits[i] = view.getUint16(i * 2, true) << 16
  }
}

export const FLOAT_DTYPES = Object.keys(DECODE)

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** IEEE 754 binary16 to its value. */
function halfToFloat (bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/**
 * Decodes little-endian elements to float32. The result is a view of the same memory if the elements are float32 already.
 *
 * @returns undefined if the dtype is not a floating-point one.
 */
export function decodeFloats (dtype: string, bytes: Uint8Array): Float32Array | undefined {
  if (!Object.hasOwn(DECODE, dtype)) return undefined
  if (isFloatArray(dtype, bytes)) return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
  // Unaligned elements are copied as bytes: decoding them one by one takes fifteen times as long.
  if (dtype === 'F32' && LITTLE_ENDIAN) return new Float32Array(new Uint8Array(bytes).buffer)
  const out = new Float32Array(bytes.byteLength * 8 / DTYPE_BITS[dtype])
  DECODE[dtype](new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), out)
  return out
}

/** How many bytes `decodeFloats` allocates for these elements. */
export function decodedBytes (dtype: string, bytes: Uint8Array): number {
  return isFloatArray(dtype, bytes) ? 0 : bytes.byteLength * 8 / DTYPE_BITS[dtype] * Float32Array.BYTES_PER_ELEMENT
}

/** Whether a Float32Array can view the bytes directly. */
function isFloatArray (dtype: string, { byteOffset }: Uint8Array): boolean {
  return dtype === 'F32' && LITTLE_ENDIAN && byteOffset % Float32Array.BYTES_PER_ELEMENT === 0
}

export const INTEGER_DTYPES: readonly string[] = ['I32', 'I64']

/**
 * Decodes little-endian integers. Integers beyond 2^53 are rounded.
 *
 * @returns undefined if the dtype is neither I32 nor I64.
 */
export function decodeIntegers (dtype: string, bytes: Uint8Array): number[] | undefined {
  if (!INTEGER_DTYPES.includes(dtype)) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const width = DTYPE_BITS[dtype] / 8
  return Array.from({ length: bytes.byteLength / width }, (_, i) => width === 4 ? view.getInt32(i * 4, true) : Number(view.getBigInt64(i * 8, true)))
}

/** The bytes of an F32 tensor: a view of the same memory on little-endian machines. */
export function encodeFloats (data: Float32Array): Uint8Array {
  if (LITTLE_ENDIAN) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const view = new DataView(new ArrayBuffer(data.byteLength))
  data.forEach((value, i) => view.setFloat32(i * 4, value, true))
  return new Uint8Array(view.buffer)
}
