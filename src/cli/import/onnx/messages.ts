import type { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import { messageOf } from '../../../errors.ts'
import { ImportError } from '../import-error.ts'
import { loadReader } from '../library.ts'

/** The parts of ONNX's messages that are read. The readers below use the field numbers of onnx.proto. */
export interface Graph {
  readonly nodes: readonly Node[]
  readonly initializers: readonly TensorProto[]
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
}

export interface Node {
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly name: string
  readonly type: string
  readonly domain: string
  readonly attributes: ReadonlyMap<string, Attribute>
}

export interface Attribute {
  float?: number
  int?: number
  text?: string
  tensor?: TensorProto
  floats: number[]
  ints: number[]
  texts: string[]
}

export interface TensorProto {
  name: string
  /** A number of `TensorProto.DataType`. */
  type: number
  readonly dims: number[]
  /** Its numbers, in one of three ways. */
  raw?: Uint8Array
  readonly numbers: number[]
  /** For numbers in another file: its `location`, `offset` and `length`. */
  readonly external: Map<string, string>
}

export interface Model {
  readonly producer: string
  readonly graph: Graph | undefined
}

type Reader = BinaryReader
type Fields = Readonly<Record<number, (reader: Reader, type: WireType) => void>>

/**
 * Parses an ONNX file.
 *
 * @throws ImportError if it is not one.
 */
export async function parseModel (bytes: Uint8Array): Promise<Model> {
  const { BinaryReader: Reader } = await loadReader('@bufbuild/protobuf', async () => await import('@bufbuild/protobuf/wire'))
  const each = (message: Uint8Array, fields: Fields): void => {
    const reader = new Reader(message)
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag()
      const read = fields[field]
      if (read === undefined) reader.skip(type, field)
      else read(reader, type)
    }
  }
  try {
    return readModel(bytes, each)
  } catch (error) {
    if (error instanceof ImportError) throw error
    throw new ImportError(`is not an ONNX file that can be read: ${messageOf(error)}`)
  }
}

type Each = (message: Uint8Array, fields: Fields) => void

function readModel (bytes: Uint8Array, each: Each): Model {
  const texts = { producer: '', version: '' }
  let graph: Graph | undefined
  each(bytes, {
    2: (reader) => { texts.producer = reader.string() },
    3: (reader) => { texts.version = reader.string() },
    7: (reader) => { graph = readGraph(reader.bytes(), each) }
  })
  return { producer: `${texts.producer} ${texts.version}`.trim(), graph }
}

function readGraph (bytes: Uint8Array, each: Each): Graph {
  const graph = { nodes: new Array<Node>(), initializers: new Array<TensorProto>(), inputs: new Array<string>(), outputs: new Array<string>() }
  each(bytes, {
    1: (reader) => { graph.nodes.push(readNode(reader.bytes(), each)) },
    5: (reader) => { graph.initializers.push(readTensor(reader.bytes(), each)) },
    11: (reader) => { graph.inputs.push(readName(reader.bytes(), each)) },
    12: (reader) => { graph.outputs.push(readName(reader.bytes(), each)) }
  })
  return graph
}

function readName (bytes: Uint8Array, each: Each): string {
  let name = ''
  each(bytes, { 1: (reader) => { name = reader.string() } })
  return name
}

function readNode (bytes: Uint8Array, each: Each): Node {
  const inputs: string[] = []
  const outputs: string[] = []
  const attributes = new Map<string, Attribute>()
  const texts = { name: '', type: '', domain: '' }
  each(bytes, {
    1: (reader) => { inputs.push(reader.string()) },
    2: (reader) => { outputs.push(reader.string()) },
    3: (reader) => { texts.name = reader.string() },
    4: (reader) => { texts.type = reader.string() },
    5: (reader) => {
      const [name, attribute] = readAttribute(reader.bytes(), each)
      attributes.set(name, attribute)
    },
    7: (reader) => { texts.domain = reader.string() }
  })
  return { inputs, outputs, attributes, ...texts }
}

function readAttribute (bytes: Uint8Array, each: Each): [name: string, Attribute] {
  let name = ''
  const attribute: Attribute = { floats: [], ints: [], texts: [] }
  each(bytes, {
    1: (reader) => { name = reader.string() },
    2: (reader) => { attribute.float = reader.float() },
    3: (reader) => { attribute.int = Number(reader.int64()) },
    4: (reader) => { attribute.text = Buffer.from(reader.bytes()).toString() },
    5: (reader) => { attribute.tensor = readTensor(reader.bytes(), each) },
    7: repeated(attribute.floats, (reader) => reader.float()),
    8: repeated(attribute.ints, (reader) => Number(reader.int64())),
    9: (reader) => { attribute.texts.push(Buffer.from(reader.bytes()).toString()) }
  })
  return [name, attribute]
}

function readTensor (bytes: Uint8Array, each: Each): TensorProto {
  const tensor: TensorProto = { name: '', type: 0, dims: [], numbers: [], external: new Map() }
  each(bytes, {
    1: repeated(tensor.dims, (reader) => Number(reader.int64())),
    2: (reader) => { tensor.type = reader.int32() },
    4: repeated(tensor.numbers, (reader) => reader.float()),
    5: repeated(tensor.numbers, (reader) => reader.int32()),
    7: repeated(tensor.numbers, (reader) => Number(reader.int64())),
    8: (reader) => { tensor.name = reader.string() },
    9: (reader) => { tensor.raw = reader.bytes() },
    10: repeated(tensor.numbers, (reader) => reader.double()),
    13: (reader) => {
      const entry = { key: '', value: '' }
      each(reader.bytes(), { 1: (part) => { entry.key = part.string() }, 2: (part) => { entry.value = part.string() } })
      tensor.external.set(entry.key, entry.value)
    }
  })
  return tensor
}

/** `WireType.LengthDelimited`: packed numbers, one after the other; unpacked numbers have a tag each. */
const PACKED = 2

function repeated (into: number[], read: (reader: Reader) => number): (reader: Reader, type: WireType) => void {
  return (reader, type) => {
    if (Number(type) !== PACKED) {
      into.push(read(reader))
      return
    }
    const end = reader.uint32() + reader.pos
    if (end > reader.len) throw new RangeError('premature EOF')
    while (reader.pos < end) into.push(read(reader))
  }
}
