/** A point on the pad; both numbers are from 0 to 1, from left to right and from top to bottom. */
export interface Point {
  readonly x: number
  readonly y: number
}

/** With one number per step, the pad shows time from left to right; with two, a position. Up and right are positive. */
export type Width = 1 | 2

/** The most steps of a drawing. */
const STEPS = 64

/** The drawn line as vectors; the last one is at the pen. */
export function vectorsOf (stroke: readonly Point[], width: Width): number[][] {
  return width === 1 ? curveOf(stroke) : pathOf(stroke)
}

/** The vectors' points on the pad; vectors of one number are spread over its whole width. */
export function pointsOf (vectors: ReadonlyArray<readonly number[]>, width: Width): Point[] {
  const place = (value: number): number => Math.min(1, Math.max(0, (value + 1) / 2))
  return vectors.map(([a, b = 0], t) => width === 1 ? { x: (t + 0.5) / vectors.length, y: 1 - place(a) } : { x: place(a), y: 1 - place(b) })
}

/** One value per step. Steps without a drawn point have the value of the nearest step with one. */
function curveOf (stroke: readonly Point[]): number[][] {
  const values = new Array<number | undefined>(STEPS).fill(undefined)
  const stepOf = ({ x }: Point): number => Math.min(STEPS - 1, Math.max(0, Math.floor(x * STEPS)))
  stroke.forEach((point, i) => {
    const before = stroke[Math.max(0, i - 1)]
    const [from, to] = [stepOf(before), stepOf(point)]
    for (let step = Math.min(from, to); step <= Math.max(from, to); step++) {
      const share = from === to ? 1 : (step - from) / (to - from)
      values[step] = 1 - 2 * (before.y + share * (point.y - before.y))
    }
  })
  const first = values.find((value) => value !== undefined) ?? 0
  let last = first
  return values.map((value) => [rounded(last = value ?? last)])
}

/** Points at equal distances along the line. */
function pathOf (stroke: readonly Point[]): number[][] {
  if (stroke.length === 0) return []
  const along = [0]
  for (let i = 1; i < stroke.length; i++) along.push(along[i - 1] + Math.hypot(stroke[i].x - stroke[i - 1].x, stroke[i].y - stroke[i - 1].y))
  const whole = along[along.length - 1]
  const steps = Math.max(1, Math.min(STEPS, stroke.length))
  let i = 0
  return Array.from({ length: steps }, (_, step) => {
    const at = steps === 1 ? 0 : whole * step / (steps - 1)
    while (i < stroke.length - 2 && along[i + 1] < at) i++
    const [a, b] = [stroke[i], stroke[Math.min(i + 1, stroke.length - 1)]]
    const share = along[i + 1] > along[i] ? Math.min(1, (at - along[i]) / (along[i + 1] - along[i])) : 0
    return [rounded(2 * (a.x + share * (b.x - a.x)) - 1), rounded(1 - 2 * (a.y + share * (b.y - a.y)))]
  })
}

function rounded (value: number): number {
  return Math.round(value * 1000) / 1000
}
