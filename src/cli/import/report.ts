import { KIND_NAMES } from '../../weights/layouts/options.ts'
import type { Chain } from './chain.ts'
import { widthsOf, type Description, type Layer } from './description.ts'
import type { Contents } from './folder.ts'

interface Report {
  readonly file: string
  readonly folder: string
  readonly description: Description
  readonly chain: Chain
  readonly contents: Contents
  /** The result of the model's first steps. */
  readonly checked: string
}

/** A readable report of what was found and written. */
export function reportOf ({ file, folder, description, chain: { front, cells, readout }, contents: { config, tensors }, checked }: Report): string {
  const layers: readonly Layer[] = [...front === undefined ? [] : [front], ...cells, ...readout]
  const width = Math.max(...layers.map(({ name }) => name.length))
  const numbers = tensors.reduce((sum, [, { data }]) => sum + data.length, 0)
  const notes = layers.flatMap((layer) => layer.kind === 'recurrent' ? layer.notes ?? [] : [])
  const last = cells[cells.length - 1]
  if (last.gives === 'last') notes.push('the file gives only the last step: send "return_sequences": false with a request for the same')
  if (last.gives === 'states') notes.push(readout.length > 0 ? 'the file gives one y for a whole sequence, of the last states of both directions; so does the service' : 'the file gives the last states of both directions: they are h_out')
  return [
    `${file}: ${description.format}`,
    ...layers.map((layer) => `  ${layer.name.padEnd(width)}  ${describe(layer)}`),
    `${folder}: ${tensors.length} tensors, ${numbers} numbers, config.json ${JSON.stringify(config)}`,
    `checked: ${checked}`,
    ...[...new Set(notes)].map((note) => `note: ${note}`),
    ''
  ].join('\n')
}

function describe (layer: Layer): string {
  const widths = widthsOf(layer)
  switch (layer.kind) {
    case 'embedding': return `embedding, ${layer.weight.shape[0]} ids to ${widths.out}`
    case 'dense': return `dense, ${widths.in} to ${widths.out}${layer.activation === 'none' ? '' : `, ${layer.activation}`}`
    case 'recurrent': {
      const gates = layer.hardSigmoid === undefined ? '' : `, gates hard_sigmoid of slope ${layer.hardSigmoid.slope.toPrecision(3)}`
      const directions = layer.directions.length === 1 ? '' : ', two directions'
      return `${KIND_NAMES[layer.cell]}, ${widths.in} to ${widths.out}${layer.activation === 'tanh' ? '' : `, ${layer.activation}`}${gates}${directions}`
    }
  }
}
