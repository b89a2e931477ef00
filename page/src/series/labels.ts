/** The gates of each kind of cell, in the order of an answer. An RNN has none. */
export const GATES: Readonly<Record<string, readonly string[]>> = { lstm: ['i', 'f', 'g', 'o'], gru: ['r', 'z', 'n'] }

export interface Stack {
  readonly layers: number
  readonly directions: number
  /** Units of one layer and direction. */
  readonly width: number
}

/**
 * The labels of a stack's vectors, in torch's order: layer 0 forward, layer 0 backward, layer 1.
 *
 * @param names the vectors of each layer and direction, each as wide as the layer: `['h']`, or the names of the gates.
 */
export function stackLabels ({ layers, directions, width }: Stack, names: readonly string[]): string[] {
  const labels: string[] = []
  for (let layer = 0; layer < layers; layer++) {
    for (let direction = 0; direction < directions; direction++) {
      const where = `${layers > 1 ? `layer ${layer} ` : ''}${directions > 1 ? `${direction === 0 ? 'forward' : 'backward'} ` : ''}`
      for (const name of names) for (let unit = 0; unit < width; unit++) labels.push(`${where}${name} ${unit}`)
    }
  }
  return labels
}
