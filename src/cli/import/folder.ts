import { mkdir, mkdtemp, open, rename, rm, rmdir, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { storeFloats, writeSafetensors } from '../../tensor/safetensors.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { H_LAST } from '../../model/policies/readout.ts'
import type { Floats } from '../../weights/layouts/floats.ts'
import type { Chain } from './chain.ts'
import type { Dense, Recurrent } from './description.ts'
import { ImportError } from './import-error.ts'

/** The contents of a model's folder. */
export interface Contents {
  readonly config: Readonly<Record<string, unknown>>
  readonly tensors: ReadonlyArray<readonly [name: string, tensor: Floats]>
}

/** The files for a chain. The cells have the names that `torch.nn` uses, so the service reads them without options. */
export function contentsOf ({ front, cells, readout }: Chain): Contents {
  const tensors: Array<readonly [string, Floats]> = cells.flatMap((layer, k) => cellTensors(layer, k))
  const linear = (name: string, { weight, bias, activation }: Dense): object => {
    tensors.push([`${name}.weight`, weight])
    if (bias !== undefined) tensors.push([`${name}.bias`, bias])
    return { weight: `${name}.weight`, ...(bias !== undefined && { bias: `${name}.bias` }), ...(activation !== 'none' && { activation }) }
  }
  if (front?.kind === 'embedding') tensors.unshift(['embedding.weight', front.weight])
  const input = front?.kind === 'dense' ? linear('input', front) : front && { embedding: 'embedding.weight' }
  const ofEnds = cells[cells.length - 1].gives === 'states'
  const layers = readout.map((layer, k) => ({ ...linear(readout.length === 1 ? 'readout' : `readout.${k}`, layer), ...(ofEnds && k === 0 && { of: H_LAST }) }))
  const cell = cellOptions(cells[0])
  return {
    config: {
      ...(input !== undefined && { input }),
      ...(cell !== undefined && { cell }),
      ...(layers.length > 0 && { readout: layers.length === 1 ? layers[0] : layers })
    },
    tensors
  }
}

function cellTensors ({ directions }: Recurrent, layer: number): Array<readonly [string, Floats]> {
  return directions.flatMap((weights, d) => {
    if (weights === undefined) return []
    const { weightIh, weightHh } = weights
    const end = `_l${layer}${d === 0 ? '' : '_reverse'}`
    const zeros: Floats = { shape: [weightIh.shape[0]], data: new Float32Array(weightIh.shape[0]) }
    const { biasIh = zeros, biasHh = zeros } = weights
    return [[`weight_ih${end}`, weightIh], [`weight_hh${end}`, weightHh], [`bias_ih${end}`, biasIh], [`bias_hh${end}`, biasHh]] as const
  })
}

/** The options of a cell that its tensors do not determine. */
function cellOptions ({ activation, hardSigmoid }: Recurrent): object | undefined {
  if (activation === 'tanh' && hardSigmoid === undefined) return undefined
  return {
    ...(activation !== 'tanh' && { activation }),
    ...(hardSigmoid !== undefined && { recurrent_activation: 'hard_sigmoid', slope: hardSigmoid.slope })
  }
}

/**
 * Writes a model's folder completely or not at all: builds it next to its final place, checks it there, then moves it.
 *
 * @param written receives the share that is written, from 0 to 1.
 * @param check receives the folder before the move; if it throws, the folder is removed.
 * @returns what `check` returns.
 * @throws ImportError if the model exists already.
 */
export async function writeFolder<T> (models: string, name: string, { config, tensors }: Contents, written: (share: number) => void, check: (folder: string) => Promise<T>): Promise<T> {
  const place = join(models, name)
  await refuseExisting(place)
  const made = await mkdir(models, { recursive: true })
  // The service ignores hidden folders.
  const staging = await mkdtemp(join(models, '.import-'))
  let done = false
  try {
    const folder = join(staging, name)
    await mkdir(folder)
    await writeParts(join(folder, 'model.safetensors'), writeSafetensors(tensors.map(([key, { shape, data }]) => [key, storeFloats(new Tensor(shape, data))])), written)
    await writeParts(join(folder, 'config.json'), [Buffer.from(`${JSON.stringify(config, undefined, 2)}\n`)])
    const checked = await check(folder)
    await refuseExisting(place)
    await rename(folder, place)
    done = true
    return checked
  } catch (error) {
    // Messages name the final place, not the temporary one.
    throw error instanceof Error ? new ImportError(error.message.replaceAll(`${staging}${sep}`, `${models}${sep}`)) : error
  } finally {
    await rm(staging, { recursive: true, force: true })
    if (!done && made !== undefined) await rmdir(models).catch(() => {})
  }
}

/** @throws ImportError if the model's path exists already. */
export async function refuseExisting (place: string): Promise<void> {
  const found = await stat(place).catch(() => undefined)
  if (found !== undefined) throw new ImportError(`${place} exists already; --name gives the model another name`)
}

async function writeParts (path: string, parts: readonly Uint8Array[], written: (share: number) => void = () => {}): Promise<void> {
  const file = await open(path, 'wx')
  try {
    const size = parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
    let at = 0
    for (const part of parts) {
      written(at / size)
      await file.writeFile(part)
      at += part.byteLength
    }
  } finally {
    await file.close()
  }
}
