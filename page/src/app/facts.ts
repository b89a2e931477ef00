import type { Model } from './model.ts'

/** A model in a few words: `2 layers of LSTM, both directions`. */
export function formatCell ({ cell: { kind }, layers, directions }: Model): string {
  return `${layers > 1 ? `${layers} layers of ` : ''}${kind.toUpperCase()}${directions > 1 ? ', both directions' : ''}`
}

/** A model's properties, as names and values. */
export function factsOf (model: Model): Array<readonly [name: string, value: string]> {
  const { sizes: { I, Hi, Ho }, proj_size: P, feedback, engine, parameters, weights, weight_bytes: bytes, input, readout, version } = model
  return [
    ['Cells', formatCell(model)],
    ['Input size I', String(I)],
    ['Input hidden size Hi', String(Hi)],
    ['Output hidden size Ho', String(Ho)],
    ...(P === undefined ? [] : [['Projected to', String(P)] as const]),
    ...(input?.vocabulary === undefined ? [] : [['Vocabulary', input.vocabulary.toLocaleString('en')] as const]),
    ...(readout === undefined ? [] : [['Readout K', String(readout.K)] as const]),
    ['Feedback', feedback.policy],
    ['Parameters', parameters.toLocaleString('en')],
    ['Weights', `${weights}, ${formatBytes(bytes)}`],
    ['Engine', `${engine.name} (${engine.backend})`],
    ['Version', version.slice(0, 12)]
  ]
}

function formatBytes (bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`
}
