import { labelOf, type Series } from '../series/series.ts'
import { drawNumbers } from './axes.ts'
import { boxOf, roundBounds, strokeOf } from './lines.ts'
import { INK, type Paper } from './paper.ts'

/** Draws the values of some units at one step, from zero up or down. */
export function drawBars (paper: Paper, series: Series, units: Uint32Array, step: number): void {
  const { context, theme } = paper
  const box = boxOf(paper)
  const values = Array.from(units, (unit) => series.values[step * series.size + unit])
  const { low, high } = roundBounds(Math.min(0, ...values), Math.max(0, ...values))
  drawNumbers(paper, box, low, high)
  const yOf = (value: number): number => box.top + box.height * (high - value) / (high - low)
  const room = box.width / values.length
  context.textBaseline = 'top'
  context.textAlign = 'center'
  let labelled = -Infinity
  values.forEach((value, i) => {
    const left = box.left + i * room
    context.fillStyle = strokeOf(0).colour
    context.fillRect(left + room * 0.1, Math.min(yOf(0), yOf(value)), Math.max(1, room * 0.8), Math.max(1, Math.abs(yOf(value) - yOf(0))))
    // A label is left out if it would overlap the one before.
    const label = labelOf(series, units[i])
    const half = context.measureText(label).width / 2 + 3
    if (left + room / 2 - half < labelled) return
    labelled = left + room / 2 + half
    context.fillStyle = INK[theme].text
    context.fillText(label, left + room / 2, box.top + box.height + 5)
  })
}
