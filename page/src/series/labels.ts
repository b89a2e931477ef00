/** The gates of a kind of cell, in the order in which an answer has them. An RNN has none. */
export const GATES: Readonly<Record<string, readonly string[]>> = { lstm: ['i', 'f', 'g', 'o'], gru: ['r', 'z', 'n'] }

export interface Stack {
  readonly layers: number
  readonly directions: number
  /** Units of one layer and direction. */
  readonly width: number
}

/**
 * The labels of a stack's vectors, one after the other in torch's order: layer 0 forward, layer 0 backward, layer 1.
 *
 * @param names what each layer and direction has, each as wide as the layer: `['h']`, the names of the gates.
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
