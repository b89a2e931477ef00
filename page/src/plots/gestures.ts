import type { View } from './heat-map.ts'
import type { Box } from './paper.ts'
import { pan, reveal, zoom } from './span.ts'
import type { Cell } from './heat-map.ts'

/** How many cells a map has. */
export interface Size {
  readonly steps: number
  readonly units: number
}

export interface Point {
  readonly x: number
  readonly y: number
}

/** Which axes a zoom applies to. */
export type Axes = 'both' | 'time' | 'units'

/** The view, zoomed around a fixed point of the canvas. */
export function zoomAt (view: View, box: Box, { x, y }: Point, factor: number, size: Size, axes: Axes = 'both'): View {
  const { time, units } = view
  const step = time.from + (x - box.left) / box.width * (time.to - time.from)
  const row = units.from + (y - box.top) / box.height * (units.to - units.from)
  return {
    time: axes === 'units' ? time : zoom(time, step, factor, size.steps),
    units: axes === 'time' ? units : zoom(units, row, factor, size.units)
  }
}

/** The view after a pointer has dragged it from one point to another. */
export function drag ({ time, units }: View, box: Box, from: Point, to: Point, size: Size): View {
  return {
    time: pan(time, (from.x - to.x) / box.width * (time.to - time.from), size.steps),
    units: pan(units, (from.y - to.y) / box.height * (units.to - units.from), size.units)
  }
}

/** The view after two fingers have moved. */
export function pinch (view: View, box: Box, before: readonly [Point, Point], after: readonly [Point, Point], size: Size): View {
  const middle = ([a, b]: readonly [Point, Point]): Point => ({ x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 })
  const distance = ([a, b]: readonly [Point, Point]): number => Math.max(1, Math.hypot(a.x - b.x, a.y - b.y))
  return zoomAt(drag(view, box, middle(before), middle(after), size), box, middle(after), distance(before) / distance(after), size)
}

/** The zoom factor for a turn of the wheel. */
export function factorOf ({ deltaX, deltaY, deltaMode, shiftKey }: Pick<WheelEvent, 'deltaX' | 'deltaY' | 'deltaMode' | 'shiftKey'>): number {
  // With Shift, some systems report the wheel's movement as horizontal.
  const delta = shiftKey && deltaY === 0 ? deltaX : deltaY
  const pixels = deltaMode === 0 ? delta : delta * (deltaMode === 1 ? 16 : 400)
  return Math.exp(Math.min(1, Math.max(-1, pixels * 0.002)))
}

/** Where a key moves the cursor; undefined if the key does not move it. */
export function moved ({ row, step }: Cell, key: string, view: View, size: Size): Cell | undefined {
  const page = Math.max(1, Math.round((view.time.to - view.time.from) / 10))
  const moves: Readonly<Record<string, Cell>> = {
    ArrowLeft: { row, step: step - 1 },
    ArrowRight: { row, step: step + 1 },
    ArrowUp: { row: row - 1, step },
    ArrowDown: { row: row + 1, step },
    PageUp: { row, step: step - page },
    PageDown: { row, step: step + page },
    Home: { row, step: 0 },
    End: { row, step: size.steps - 1 }
  }
  const to = moves[key]
  return to === undefined ? undefined : { row: clamp(to.row, size.units), step: clamp(to.step, size.steps) }
}

/** The view, moved just far enough to show a cell. */
export function revealed ({ time, units }: View, { row, step }: Cell, size: Size): View {
  return { time: reveal(time, step, size.steps), units: reveal(units, row, size.units) }
}

function clamp (index: number, count: number): number {
  return Math.min(Math.max(index, 0), count - 1)
}
