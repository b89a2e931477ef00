import Type, { type Static } from '../../../tensor/typebox.ts'
import { dirname } from 'node:path'
import { stat } from 'node:fs/promises'
import { decodeFloats, DTYPE_BITS } from '../../../tensor/dtypes.ts'
import { compile } from '../../../tensor/schema.ts'
import { readWhole } from '../../../weights/sources/file.ts'
import type { Floats } from '../../../weights/layouts/floats.ts'
import type { Description } from '../description.ts'
import { ImportError, quote } from '../import-error.ts'
import { pathInside } from '../inside.ts'
import { parseJson } from '../json.ts'
import { describeKeras } from '../keras/layers.ts'
import { numbersOf } from '../tensors.ts'

const WeightSchema = Type.Object({
  name: Type.String(),
  shape: Type.Array(Type.Integer({ minimum: 0 })),
  dtype: Type.String(),
  quantization: Type.Optional(Type.Object({ dtype: Type.String(), scale: Type.Optional(Type.Number()), min: Type.Optional(Type.Number()) }))
})
type Weight = Static<typeof WeightSchema>

const GroupSchema = Type.Object({ paths: Type.Array(Type.String(), { minItems: 1 }), weights: Type.Array(WeightSchema) })
type Group = Static<typeof GroupSchema>

const readModel = compile(Type.Object({
  format: Type.Optional(Type.String()),
  generatedBy: Type.Optional(Type.Unknown()),
  modelTopology: Type.Record(Type.String(), Type.Unknown()),
  weightsManifest: Type.Array(GroupSchema)
}))

/**
 * Describes a layers model of TensorFlow.js: `model.json` and the shards next to it.
 *
 * @throws ImportError, InputError
 */
export async function describeTfjs (bytes: Buffer, path: string): Promise<Description> {
  const { format = 'layers-model', generatedBy = 'TensorFlow.js', modelTopology: topology, weightsManifest: groups } = readModel(parseJson(bytes.toString(), 'it'), '')
  if (format !== 'layers-model') throw new ImportError(`is a ${quote(format)} of TensorFlow.js, whose layers are lost; expected a layers-model`)
  const weights = await readGroups(groups, dirname(path))
  // The converter from Keras puts the configuration one level deeper.
  const model = topology.model_config ?? topology
  return describeKeras(model, (layer) => () => [...weights].filter(([name]) => name.startsWith(`${layer}/`)).map(([, tensor]) => tensor), { format: quote(generatedBy), hardSigmoid: 0.2 })
}

async function readGroups (groups: readonly Group[], folder: string): Promise<Map<string, Floats>> {
  const paths = groups.flatMap((group) => group.paths)
  const twice = paths.find((path, i) => paths.indexOf(path) !== i)
  if (twice !== undefined) throw new ImportError(`names ${quote(twice)} twice`)
  const tensors = new Map<string, Floats>()
  for (const group of groups) {
    for (const [name, tensor] of await readGroup(group, folder)) tensors.set(name, tensor)
  }
  return tensors
}

/** A group's shards, concatenated, contain its weights one after the other. */
async function readGroup ({ paths, weights }: Group, folder: string): Promise<Array<[string, Floats]>> {
  const shards = await Promise.all(paths.map(async (path) => await pathInside(folder, path)))
  const sizes = weights.map(bytesOf)
  const expected = sizes.reduce((sum, size) => sum + size, 0)
  const found = (await Promise.all(shards.map(async (shard) => (await stat(shard)).size))).reduce((sum, size) => sum + size, 0)
  if (found !== expected) throw new ImportError(`${quote(paths.join(', '))}: expected ${expected} bytes of weights, found ${found}`)
  const data = Buffer.concat(await Promise.all(shards.map(readWhole)))
  let at = 0
  return weights.map((weight, i) => {
    const bytes = data.subarray(at, at + sizes[i])
    at += sizes[i]
    return [weight.name, { shape: weight.shape, data: decode(weight, bytes) }]
  })
}

/** The number formats in shards, as safetensors dtypes. */
const STORED: Readonly<Record<string, string>> = { float32: 'F32', float16: 'F16', uint8: 'U8', uint16: 'U16', int32: 'I32', bool: 'BOOL' }

function storedAs ({ name, dtype, quantization }: Weight): string {
  const stored = quantization?.dtype ?? dtype
  if (!Object.hasOwn(STORED, stored)) throw new ImportError(`weight ${quote(name)} has the dtype ${quote(stored)}`)
  return STORED[stored]
}

function bytesOf (weight: Weight): number {
  return numbersOf(weight.shape) * DTYPE_BITS[storedAs(weight)] / 8
}

function decode (weight: Weight, bytes: Buffer): Float32Array {
  const dtype = storedAs(weight)
  const { scale, min } = weight.quantization ?? {}
  const floats = decodeFloats(dtype, bytes)
  if (floats !== undefined) return floats
  if (scale === undefined || min === undefined) throw new ImportError(`weight ${quote(weight.name)} is of ${quote(weight.dtype)}, expected float32`)
  const width = DTYPE_BITS[dtype] / 8
  return Float32Array.from({ length: bytes.length / width }, (_, i) => bytes.readUIntLE(i * width, width) * scale + min)
}
