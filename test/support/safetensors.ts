/** A tensor to write. */
export interface Written {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

export function f32 (shape: readonly number[], values: ArrayLike<number>): Written {
  return { dtype: 'F32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) }
}

/** Numbers as a dtype has them, which must have them exactly. */
export function store (dtype: string, shape: readonly number[], values: ArrayLike<number>): Written {
  const doubles = Array.from(values)
  switch (dtype) {
    case 'F64': return { dtype, shape, bytes: new Uint8Array(Float64Array.from(doubles).buffer) }
    case 'BF16': return { dtype, shape, bytes: new Uint8Array(Uint16Array.from(doubles, (value) => bits(value) >>> 16).buffer) }
    // Its exponent has 5 bits for 8, about 15 for 127; its fraction 10 for 23.
    case 'F16': return { dtype, shape, bytes: new Uint8Array(Uint16Array.from(doubles, (value) => value === 0 ? 0 : (bits(value) >>> 31 << 15) | ((bits(value) >>> 13 & 0x3ffff) - ((127 - 15) << 10))).buffer) }
    default: return f32(shape, doubles)
  }
}

function bits (value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]
}

/** A safetensors file, its tensors in the order given. */
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

/** A file of any header and data, valid or not. */
export function writeRaw (header: string | Uint8Array, ...data: readonly Uint8Array[]): Uint8Array {
  const bytes = Buffer.from(header)
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(bytes.byteLength))
  return new Uint8Array(Buffer.concat([length, bytes, ...data]))
}

/** The tensors of a CustomLSTM, every weight of `value`. */
export function customLstm (I: number, Hi: number, Ho: number, value = 0.1): Record<string, Written> {
  const full = (...shape: number[]): Written => f32(shape, new Array(shape.reduce((a, b) => a * b)).fill(value))
  return {
    'input_linear.weight': full(4 * Ho, I),
    'input_linear.bias': full(4 * Ho),
    'hidden_linear.weight': full(4 * Ho, Hi),
    'hidden_linear.bias': full(4 * Ho)
  }
}

/** The same under a prefix, as a part of a whole model. */
export function under (prefix: string, tensors: Readonly<Record<string, Written>>): Record<string, Written> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [`${prefix}.${name}`, tensor]))
}
