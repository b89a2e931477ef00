import { KIND_NAMES } from '../../weights/layouts/options.ts'
import { widthsOf, type Described, type Dense, type Description, type Embedding, type Recurrent } from './description.ts'
import { ImportError, quote } from './import-error.ts'

/** Layers in the service's form: an optional layer in front, a stack of cells, and the readout layers. */
export interface Chain {
  readonly front?: Embedding | Dense
  readonly cells: readonly Recurrent[]
  readonly readout: readonly Dense[]
}

/**
 * Converts a file's layers to the form that the service can serve.
 *
 * @param only the recurrent layer to take alone.
 * @throws ImportError that names every layer which cannot be served, and why.
 */
export function chainOf ({ layers }: Description, only?: string): Chain {
  if (only !== undefined) return { cells: [pick(layers, only)], readout: [] }
  const faults = layers.flatMap((layer) => layer.kind === 'unservable' ? [`${quote(layer.name)}: ${layer.why}`] : [])
  const servable = layers.filter((layer) => layer.kind !== 'unservable')
  const cells = servable.filter((layer) => layer.kind === 'recurrent')
  if (cells.length === 0) throw new ImportError(faults.join('; ') || 'has no LSTM, GRU or RNN')

  const first = servable.findIndex((layer) => layer.kind === 'recurrent')
  const last = servable.findLastIndex((layer) => layer.kind === 'recurrent')
  const [front, ...more] = servable.slice(0, first).filter((layer) => layer.kind !== 'recurrent')
  for (const { name } of more) faults.push(`${quote(name)}: is a second layer in front of the first cell; only one is supported`)
  const readout = servable.slice(last + 1).filter((layer) => layer.kind === 'dense')
  for (const { kind, name } of servable.slice(first)) {
    if (kind === 'embedding') faults.push(`${quote(name)}: is an embedding after the first cell`)
  }
  for (const { kind, name } of servable.slice(first, last)) {
    if (kind === 'dense') faults.push(`${quote(name)}: is a dense layer between two cells`)
  }
  if (faults.length === 0) faults.push(...stackFaults(cells), ...widthFaults(servable))
  if (faults.length > 0) throw new ImportError(faults.join('; '))
  return { ...(front !== undefined && { front }), cells, readout }
}

function pick (layers: readonly Described[], only: string): Recurrent {
  const found = layers.find(({ name }) => name === only)
  if (found?.kind === 'recurrent') return found
  if (found?.kind === 'unservable') throw new ImportError(`${quote(only)}: ${found.why}`)
  const names = layers.filter(({ kind }) => kind === 'recurrent').map(({ name }) => quote(name))
  throw new ImportError(`--layer ${quote(only)}: is ${found === undefined ? 'not a layer of the file' : 'not a recurrent layer'}; recurrent layers: ${names.join(', ') || 'none'}`)
}

/** All layers of a stack must have the same kind of cell and the same number of directions. */
function stackFaults ([first, ...others]: readonly Recurrent[]): string[] {
  const words = ({ cell, activation, hardSigmoid, directions }: Recurrent): string =>
    `${KIND_NAMES[cell]} with ${activation}${hardSigmoid === undefined ? '' : `, hard_sigmoid of slope ${hardSigmoid.slope}`} and ${directions.length === 1 ? 'one direction' : 'two directions'}`
  return [
    ...others.filter((other) => words(other) !== words(first)).map((other) => `${quote(other.name)}: is ${words(other)}, after ${quote(first.name)}, which is ${words(first)}; the cells of a stack must be alike`),
    ...[first, ...others].slice(0, -1).filter(({ gives }) => gives !== 'steps').map(({ name }) => `${quote(name)}: passes only its last step to the next cell`)
  ]
}

function widthFaults (layers: readonly Described[]): string[] {
  return layers.flatMap((layer, i) => {
    const before = layers[i - 1]
    if (before === undefined || before.kind === 'unservable' || layer.kind === 'unservable') return []
    const { out } = widthsOf(before)
    const { in: width } = widthsOf(layer)
    return out === width ? [] : [`${quote(layer.name)}: reads ${width} numbers, and ${quote(before.name)} writes ${out}`]
  })
}
