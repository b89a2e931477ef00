import type { RowStepAnswer, SequenceStep } from '../../../clients/typescript/src/client.ts'
import type { Model } from '../app/model.ts'
import { GATES, stackLabels } from '../series/labels.ts'
import { append, createSeries } from '../series/series.ts'
import type { Run } from './run.ts'

/** Adds what a step has answered to the series of a run; a step of a request with one row, or one of a row of its own. */
export function record (run: Run, model: Model, { output, y, parts = {} }: SequenceStep | RowStepAnswer): void {
  const named = { ...(output !== undefined && { output }), ...(y !== undefined && { y }), ...parts }
  for (const [name, { data }] of Object.entries(named)) {
    const series = run.series.get(name) ?? createSeries(name, data.length, labelsOf(model, name, data.length))
    run.series.set(name, series)
    append(series, data)
  }
}

/** The names of the numbers of an answer, if they have some. */
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
