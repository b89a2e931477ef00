import type { Series } from '../series/series.ts'
import { drawNumbers, drawSteps } from './axes.ts'
import { INK, type Box, type Paper } from './paper.ts'
import type { Span } from './span.ts'
import { roundUp, tidy } from './ticks.ts'

/** The colours from Okabe and Ito's palette for colour-blind readers that are visible on both white and black. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00']
/** Each time the colours are used up, the next dash pattern follows. */
const DASHES = [[], [6, 3], [2, 2], [8, 3, 2, 3]]

export interface Stroke {
  readonly colour: string
  readonly dash: readonly number[]
}

/** The stroke of a line, by its index. */
export function strokeOf (index: number): Stroke {
  return { colour: COLOURS[index % COLOURS.length], dash: DASHES[Math.floor(index / COLOURS.length) % DASHES.length] }
}

/** The least width to the left of a plot, in pixels. */
export const LEFT = 52
const TOP = 6
const BOTTOM = 20
const RIGHT = 8

/** @param left the plot's left edge, so that steps of stacked plots align. */
export function boxOf ({ width, height }: Paper, left = LEFT): Box {
  return { left, top: TOP, width: Math.max(1, width - left - RIGHT), height: Math.max(1, height - TOP - BOTTOM) }
}

export interface Lines {
  readonly series: Series
  readonly units: readonly number[]
  readonly time: Span
  /** A step to mark. */
  readonly step?: number | undefined
  readonly left: number
}

/** Draws units over time. If several steps share a pixel, it shows a stroke from their least to their greatest value. */
export function drawLines (paper: Paper, { series, units, time, step, left }: Lines): void {
  const { context, theme } = paper
  const box = boxOf(paper, left)
  const { low, high } = bounds(series, units, time)
  drawNumbers(paper, box, low, high)
  drawSteps(paper, box, time)
  context.save()
  context.beginPath()
  context.rect(box.left, box.top - 2, box.width, box.height + 4)
  context.clip()
  const scale = box.width / (time.to - time.from)
  if (step !== undefined) {
    context.fillStyle = INK[theme].line
    context.fillRect(box.left + (step - time.from) * scale, box.top, Math.max(1, scale), box.height)
  }
  context.lineJoin = 'round'
  context.lineWidth = 1.5
  units.forEach((unit, index) => {
    const { colour, dash } = strokeOf(index)
    context.strokeStyle = colour
    context.setLineDash([...dash])
    context.beginPath()
    for (const { step, value } of points(series, unit, time, Math.ceil(box.width))) {
      context.lineTo(box.left + (step + 0.5 - time.from) * scale, box.top + box.height * (high - value) / (high - low))
    }
    context.stroke()
  })
  context.restore()
}

/**
 * The points of a line: each step's value or, if several steps share one of `columns`, their least and greatest values in order of
 * time.
 */
export function points ({ size, steps, values }: Series, unit: number, { from, to }: Span, columns: number): Array<{ readonly step: number, readonly value: number }> {
  // One extra step on each side, so that the line does not end inside the plot.
  const first = Math.max(0, Math.floor(from) - 1)
  const end = Math.min(steps, Math.ceil(to) + 1)
  const stretch = Math.max(1, Math.ceil((end - first) / columns))
  const result = []
  for (let begin = first; begin < end; begin += stretch) {
    let least = begin
    let greatest = begin
    for (let step = begin; step < Math.min(end, begin + stretch); step++) {
      if (values[step * size + unit] < values[least * size + unit]) least = step
      if (values[step * size + unit] > values[greatest * size + unit]) greatest = step
    }
    for (const step of least === greatest ? [least] : [Math.min(least, greatest), Math.max(least, greatest)]) {
      result.push({ step, value: values[step * size + unit] })
    }
  }
  return result
}

/** Round bounds around all values in view. */
function bounds ({ size, steps, values }: Series, units: readonly number[], { from, to }: Span): { low: number, high: number } {
  let low = Infinity
  let high = -Infinity
  for (let step = Math.floor(from); step < Math.min(steps, Math.ceil(to)); step++) {
    for (const unit of units) {
      const value = values[step * size + unit]
      if (value < low) low = value
      if (value > high) high = value
    }
  }
  return roundBounds(low, high)
}

/** Round bounds around two numbers; the bounds are never equal. */
export function roundBounds (low: number, high: number): { low: number, high: number } {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return { low: 0, high: 1 }
  if (low === high) return roundBounds(low - (Math.abs(low) || 1) / 2, high + (Math.abs(low) || 1) / 2)
  const step = roundUp((high - low) / 8, [1, 2, 5, 10])
  return { low: tidy(Math.floor(tidy(low / step)) * step), high: tidy(Math.ceil(tidy(high / step)) * step) }
}
