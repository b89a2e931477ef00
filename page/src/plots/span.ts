/** The part of an axis that is in view, in cells: cell `i` reaches from `i` to `i + 1`. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** The fewest cells that a view shows. */
const CLOSEST = 4

export const whole = (cells: number): Span => ({ from: 0, to: Math.max(1, cells) })

export const isWhole = ({ from, to }: Span, cells: number): boolean => from <= 0 && to >= cells

/**
 * Zooms a span around a fixed position.
 *
 * @param factor below 1 to show fewer cells.
 */
export function zoom ({ from, to }: Span, around: number, factor: number, cells: number): Span {
  const width = Math.min(Math.max((to - from) * factor, Math.min(CLOSEST, cells)), cells)
  return within(around - (around - from) * width / (to - from), width, cells)
}

export function pan ({ from, to }: Span, by: number, cells: number): Span {
  return within(from + by, to - from, cells)
}

/** The span, moved just far enough to show a cell. */
export function reveal (span: Span, cell: number, cells: number): Span {
  if (cell < span.from) return pan(span, cell - span.from, cells)
  return cell + 1 > span.to ? pan(span, cell + 1 - span.to, cells) : span
}

function within (from: number, width: number, cells: number): Span {
  const first = Math.min(Math.max(from, 0), Math.max(0, cells - width))
  return { from: first, to: first + width }
}
