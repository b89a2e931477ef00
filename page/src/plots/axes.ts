import { labelOf, type Series } from '../series/series.ts'
import { colourTable, css } from './colours.ts'
import { INK, type Box, type Paper } from './paper.ts'
import type { Scale } from './scale.ts'
import type { Span } from './span.ts'
import { ticks } from './ticks.ts'

const WIDEST_LABEL = 140
const LABEL_HEIGHT = 12
const TICK = 4

/** The width of the left axis's labels, in pixels. */
export function widthOf ({ context }: Paper, labels: readonly string[]): number {
  return Math.ceil(Math.min(WIDEST_LABEL, Math.max(0, ...labels.map((label) => context.measureText(label).width)))) + 2 * TICK + 2
}

/** Draws steps below a plot, each number under the middle of its step. */
export function drawSteps (paper: Paper, { left, top, width, height }: Box, span: Span): void {
  const { context } = paper
  const bottom = top + height
  context.fillStyle = INK[paper.theme].text
  context.textBaseline = 'top'
  context.textAlign = 'center'
  const scale = width / (span.to - span.from)
  for (const step of ticks(span.from, Math.ceil(span.to) - 1, width / 70, 1)) {
    const x = left + (step + 0.5 - span.from) * scale
    if (x < left || x > left + width) continue
    context.fillRect(Math.round(x), bottom, 1, TICK)
    context.fillText(String(step), x, bottom + TICK + 1)
  }
  context.textAlign = 'right'
  context.fillText('step', left - 4 * TICK, bottom + TICK + 1)
}

/** Draws units left of a plot: every name if there is space, otherwise only those at round positions. */
export function drawUnits (paper: Paper, { left, top, height }: Box, span: Span, series: Series, rows: Uint32Array): void {
  const { context } = paper
  context.fillStyle = INK[paper.theme].text
  context.textBaseline = 'middle'
  context.textAlign = 'right'
  const scale = height / (span.to - span.from)
  for (const row of ticks(span.from, Math.ceil(span.to) - 1, height / (LABEL_HEIGHT + 3), 1)) {
    const y = top + (row + 0.5 - span.from) * scale
    if (y < top || y > top + height || row >= rows.length) continue
    context.fillRect(left - TICK, Math.round(y), TICK, 1)
    context.fillText(labelOf(series, rows[row]), left - TICK - 2, y, WIDEST_LABEL)
  }
}

/** Draws numbers left of a plot that reaches from `low` to `high`. */
export function drawNumbers (paper: Paper, { left, top, width, height }: Box, low: number, high: number): void {
  const { context } = paper
  context.textBaseline = 'middle'
  context.textAlign = 'right'
  for (const value of ticks(low, high, height / 28)) {
    const y = top + height * (high - value) / (high - low)
    context.fillStyle = INK[paper.theme].line
    context.fillRect(left, Math.round(y), width, 1)
    context.fillStyle = INK[paper.theme].text
    context.fillText(String(value), left - TICK - 2, y)
  }
}

/** Draws the colours and their values, in a row that ends at `right`. */
export function drawLegend (paper: Paper, right: number, top: number, { kind, low, high }: Scale): void {
  const { context } = paper
  const width = Math.min(160, paper.width / 3)
  const room = context.measureText(String(high)).width
  const left = right - room - TICK - width
  const gradient = context.createLinearGradient(left, 0, left + width, 0)
  const table = colourTable(kind, paper.theme)
  const stops = 16
  for (let i = 0; i <= stops; i++) gradient.addColorStop(i / stops, css(table[Math.round(i / stops * (table.length - 1))]))
  context.fillStyle = gradient
  context.fillRect(left, top, width, LABEL_HEIGHT)
  context.strokeStyle = INK[paper.theme].line
  context.lineWidth = 1
  context.strokeRect(left + 0.5, top + 0.5, width - 1, LABEL_HEIGHT - 1)
  context.fillStyle = INK[paper.theme].text
  context.textBaseline = 'middle'
  context.textAlign = 'right'
  const middle = top + LABEL_HEIGHT / 2
  context.fillText(String(low), left - TICK, middle)
  context.textAlign = 'left'
  context.fillText(String(high), left + width + TICK, middle)
}
