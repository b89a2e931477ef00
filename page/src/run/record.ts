import type { RowStepAnswer, SequenceStep } from '../../../clients/typescript/src/client.ts'
import type { Model } from '../app/model.ts'
import { GATES, stackLabels } from '../series/labels.ts'
import { append, createSeries } from '../series/series.ts'
import type { Run } from './run.ts'

/** Adds a step's answer to the series of a run. The step is from a one-row request, or from a row on a WebSocket. */
export function record (run: Run, model: Model, { output, y, parts = {} }: SequenceStep | RowStepAnswer): void {
  const named = { ...(output !== undefined && { output }), ...(y !== undefined && { y }), ...parts }
  for (const [name, { data }] of Object.entries(named)) {
    const series = run.series.get(name) ?? createSeries(name, data.length, labelsOf(model, name, data.length))
    run.series.set(name, series)
    append(series, data)
  }
}

/** The labels of an answer's numbers, if they have any. */
function labelsOf ({ layers, directions, cell: { kind } }: Model, name: string, size: number): string[] | undefined {
  const stack = (names: readonly string[], of: number): string[] => stackLabels({ layers: of, directions, width: size / (of * directions * names.length) }, names)
  switch (name) {
    case 'h': case 'c': return stack([name], layers)
    case 'gates': return stack(GATES[kind] ?? [], layers)
    case 'output': return directions > 1 ? stack([name], 1) : undefined
    case 'attention': return Array.from({ length: size }, (_, i) => `support ${i}`)
    default: return undefined
  }
}
