import type { ReadonlySignal } from '@preact/signals'
import { shortest } from '../series/numbers.ts'
import { labelOf, valueAt, type Series } from '../series/series.ts'
import type { Theme } from './colours.ts'
import type { View } from './heat-map.ts'
import { drawLines } from './lines.ts'
import { whole } from './span.ts'
import { usePlot } from './use-plot.ts'

export interface LinesProps {
  readonly series: Series
  readonly units: readonly number[]
  readonly theme: Theme
  /** The view, shared with the map above. */
  readonly view: ReadonlySignal<View | undefined>
  readonly step: ReadonlySignal<number | undefined>
  /** The left edge of the map's cells, in pixels. */
  readonly left: ReadonlySignal<number>
}

/** Units over time, as lines. */
export function Lines ({ series, units, theme, view, step, left }: LinesProps) {
  const canvas = usePlot(theme, (paper) => {
    drawLines(paper, { series, units, time: view.value?.time ?? whole(series.steps), step: step.value, left: left.value })
    return true
  }, [series.length, view, step, left])
  const last = series.length.value - 1
  const summary = units.map((unit) => `${labelOf(series, unit)}, at the last step ${shortest(valueAt(series, unit, last) ?? 0)}`).join('; ')
  return (
    <div class='lines'>
      <div class='plot' role='img' aria-label={`${series.name} over time: ${summary}`}>
        <canvas ref={canvas} />
      </div>
    </div>
  )
}
