/** A tensor to write. */
export interface Written {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

export function f32 (shape: readonly number[], values: ArrayLike<number>): Written {
  return { dtype: 'F32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) }
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
