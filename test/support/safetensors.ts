/** A tensor to write. */
export interface Written {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

export function f32 (shape: readonly number[], values: ArrayLike<number>): Written {
  return { dtype: 'F32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) }
}

/** Numbers as a dtype, which must represent them exactly. */
export function store (dtype: string, shape: readonly number[], values: ArrayLike<number>): Written {
  const doubles = Array.from(values)
  switch (dtype) {
    case 'F64': return { dtype, shape, bytes: new Uint8Array(Float64Array.from(doubles).buffer) }
    case 'BF16': return { dtype, shape, bytes: new Uint8Array(Uint16Array.from(doubles, (value) => bits(value) >>> 16).buffer) }
    // F16's exponent has 5 bits instead of 8, with bias 15 instead of 127; its fraction has 10 bits instead of 23.
    case 'F16': return { dtype, shape, bytes: new Uint8Array(Uint16Array.from(doubles, (value) => value === 0 ? 0 : (bits(value) >>> 31 << 15) | ((bits(value) >>> 13 & 0x3ffff) - ((127 - 15) << 10))).buffer) }
    default: return f32(shape, doubles)
  }
}

function bits (value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]
}

/** A safetensors file with the tensors in the given order. */
export function writeSafetensors (tensors: Readonly<Record<string, Written>>, metadata?: Readonly<Record<string, string>>): Uint8Array {
  let at = 0
  const entries = Object.entries(tensors).map(([name, { dtype, shape, bytes }]) => {
    const begin = at
    at += bytes.byteLength
    return [name, { dtype, shape, data_offsets: [begin, at] }]
  })
  const header = Object.fromEntries([...(metadata === undefined ? [] : [['__metadata__', metadata]]), ...entries])
  return writeRaw(JSON.stringify(header), ...Object.values(tensors).map(({ bytes }) => bytes))
}

/** A file with any header and data, valid or not. */
export function writeRaw (header: string | Uint8Array, ...data: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.from(header)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(bytes.byteLength))
  return new Uint8Array(Buffer.concat([length, bytes, ...data]))
}

/** The tensors of a CustomLSTM, in which every weight is `value`. */
export function customLstm (I: number, Hi: number, Ho: number, value = 0.1): Record<string, Written> {
  const full = (...shape: number[]): Written => f32(shape, new Array(shape.reduce((a, b) => a * b)).fill(value))
  return {
    'input_linear.weight': full(4 * Ho, I),
    'input_linear.bias': full(4 * Ho),
    'hidden_linear.weight': full(4 * Ho, Hi),
    'hidden_linear.bias': full(4 * Ho)
  }
}

/** Tensors under a prefix, as part of a larger model. */
export function under (prefix: string, tensors: Readonly<Record<string, Written>>): Record<string, Written> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`${prefix}.${name}`, tensor]))
}
