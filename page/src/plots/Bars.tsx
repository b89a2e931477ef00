import type { ReadonlySignal } from '@preact/signals'
import { drawBars } from './bars.ts'
import { shortest } from '../series/numbers.ts'
import { labelOf, type Series } from '../series/series.ts'
import type { Theme } from './colours.ts'
import { usePlot } from './use-plot.ts'

export interface BarsProps {
  readonly series: Series
  readonly units: Uint32Array
  readonly theme: Theme
  /** The step that is shown; undefined for the last one. */
  readonly step: ReadonlySignal<number | undefined>
}

/** One step's values, as bars. */
export function Bars ({ series, units, theme, step }: BarsProps) {
  const shown = (): number => Math.min(step.value ?? Infinity, series.steps - 1)
  const canvas = usePlot(theme, (paper) => {
    if (series.steps > 0) drawBars(paper, series, units, shown())
    return true
  }, [series.length, step])
  const { length: { value: steps }, size, values } = series
  const at = shown()
  const largest = Array.from(units).sort((a, b) => values[at * size + b] - values[at * size + a]).slice(0, 3)
  return (
    <div class='bars'>
      <div class='plot' role='img' aria-label={steps === 0 ? series.name : `${series.name} at step ${at}; the largest: ${largest.map((unit) => `${labelOf(series, unit)} ${shortest(values[at * size + unit])}`).join(', ')}`}>
        <canvas ref={canvas} />
      </div>
      <p class='readout'>Step {at}</p>
    </div>
  )
}
