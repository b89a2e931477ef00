import { useComputed, useSignal, type ReadonlySignal, type Signal } from '@preact/signals'
import { useEffect, useId, useMemo, useRef } from 'preact/hooks'
import { count, createDistribution } from '../series/distribution.ts'
import { shortest } from '../series/numbers.ts'
import { labelOf, type Series } from '../series/series.ts'
import type { Theme } from './colours.ts'
import { drag, factorOf, moved, pinch, revealed, zoomAt, type Point } from './gestures.ts'
import { cellAtPoint, createHeatMapPainter, type Cell, type Drawn, type View } from './heat-map.ts'
import { strokeOf } from './lines.ts'
import type { Paper } from './paper.ts'
import { scaleOf, type Range } from './scale.ts'
import { isWhole, whole } from './span.ts'
import { cellAt } from './tile.ts'
import { usePlot } from './use-plot.ts'

export interface HeatMapProps {
  readonly series: Series
  /** The units of its rows, from top to bottom. */
  readonly rows: Uint32Array
  readonly range: Range
  readonly theme: Theme
  /** The view; undefined for everything, including steps that are still to come. */
  readonly view: Signal<View | undefined>
  /** Units to mark. */
  readonly followed: readonly number[]
  /** Set to where the cells begin, in pixels. */
  readonly left: Signal<number>
  readonly onUnit: (unit: number) => void
  readonly onHover?: (place: { unit: number, step: number, value: number } | undefined) => void
}

/** Milliseconds per frame for painting tiles. */
const PAINTING = 9
/** How many pixels a pointer can move within a click. */
const CLICK = 4
const ZOOM = 1.25
/** Pixels for the axes and the legend, and for each unit if there are few. */
const FRAME = 42
const ROW = 36

const HELP = 'Arrow keys move the cursor by a unit or a step, Page Up and Page Down by a tenth of what is in view, Home and End to the first and the last step. Plus and minus zoom, 0 shows all. Enter follows the unit as a line.'

/**
 * Units over time, on a canvas: zoom with the wheel, two fingers or + and -, pan by dragging, read values by pointing or with the
 * arrow keys.
 */
export function HeatMap ({ series, rows, range, theme, view, followed, left, onUnit, onHover }: HeatMapProps) {
  const help = useId()
  const frame = useRef<HTMLDivElement>(null)
  const cursor = useSignal<{ cell: Cell, by: 'keyboard' | 'pointer' } | undefined>(undefined)
  // Separate signals, so that moving the cursor does not rerender everything.
  const spoken = useComputed(() => cursor.value?.by === 'keyboard' ? cursor.value : undefined)
  const frameClass = useComputed(() => view.value === undefined ? 'plot' : 'plot zoomed')
  const shared = useSignal({ steps: 1, units: 1 })
  const drawn = useRef<Drawn | undefined>(undefined)
  const paint = useMemo(createHeatMapPainter, [])
  const distribution = useMemo(createDistribution, [series, rows])

  const size = () => ({ steps: series.steps, units: rows.length })
  const inView = (): View => view.peek() ?? { time: whole(series.steps), units: whole(rows.length) }
  const show = ({ time, units }: View): void => {
    view.value = isWhole(time, series.steps) && isWhole(units, rows.length) ? undefined : { time, units }
  }

  const canvas = usePlot(theme, (paper: Paper) => {
    count(distribution, series, rows)
    drawn.current = paint(paper, {
      series,
      rows,
      scale: scaleOf(distribution, range),
      view: inView(),
      cursor: cursor.value?.cell,
      marked: followed.map((unit, i) => ({ row: rows.indexOf(unit), colour: strokeOf(i).colour }))
    }, PAINTING)
    left.value = drawn.current.box.left
    const { steps, units } = drawn.current.shared
    if (steps !== shared.value.steps || units !== shared.value.units) shared.value = drawn.current.shared
    return drawn.current.complete
  }, [series.length, view, cursor])

  const pointOf = (event: MouseEvent): Point => {
    const { x = 0, y = 0 } = frame.current?.getBoundingClientRect() ?? {}
    return { x: event.clientX - x, y: event.clientY - y }
  }
  const point = (cell: Cell | undefined, by: 'keyboard' | 'pointer'): void => {
    const at = cell && cellAt({ series, rows }, cell.row, cell.step)
    cursor.value = cell !== undefined && at !== undefined ? { cell, by } : undefined
    onHover?.(cell !== undefined && at !== undefined ? { ...at, step: cell.step } : undefined)
  }

  useEffect(() => {
    const element = frame.current
    if (element === null) return
    // A listener added by Preact could not stop the page from scrolling.
    const onWheel = (event: WheelEvent): void => {
      const box = drawn.current?.box
      if (box === undefined) return
      const before = view.peek()
      show(zoomAt(inView(), box, pointOf(event), factorOf(event), size(), event.shiftKey ? 'time' : event.altKey ? 'units' : 'both'))
      // If everything is in view and stays so, the page scrolls.
      if (before !== undefined || view.peek() !== undefined) event.preventDefault()
    }
    element.addEventListener('wheel', onWheel, { passive: false })
    return () => { element.removeEventListener('wheel', onWheel) }
  }, [series, rows])

  const pointers = useRef(new Map<number, Point>())
  const travelled = useRef(0)
  const cellUnder = ({ x, y }: Point): Cell | undefined => drawn.current && cellAtPoint(drawn.current.box, inView(), x, y)

  const onPointerDown = (event: PointerEvent): void => {
    if (event.button !== 0) return
    if (pointers.current.size === 0) travelled.current = 0
    pointers.current.set(event.pointerId, pointOf(event))
    frame.current?.setPointerCapture(event.pointerId)
  }
  const onPointerMove = (event: PointerEvent): void => {
    const to = pointOf(event)
    const from = pointers.current.get(event.pointerId)
    const box = drawn.current?.box
    if (from === undefined || box === undefined) {
      point(cellUnder(to), 'pointer')
      return
    }
    const [other] = [...pointers.current].filter(([id]) => id !== event.pointerId).map(([, at]) => at)
    if (other !== undefined) {
      travelled.current = Infinity
      show(pinch(inView(), box, [from, other], [to, other], size()))
    } else {
      travelled.current += Math.hypot(to.x - from.x, to.y - from.y)
      if (travelled.current <= CLICK) return
      show(drag(inView(), box, from, to, size()))
    }
    pointers.current.set(event.pointerId, to)
  }
  const onPointerUp = (event: PointerEvent): void => {
    if (!pointers.current.delete(event.pointerId) || travelled.current > CLICK || event.type === 'pointercancel') return
    const cell = cellUnder(pointOf(event))
    point(cell, 'pointer')
    if (cell !== undefined && cell.row < rows.length) onUnit(rows[cell.row])
  }

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || series.steps === 0) return
    const { key } = event
    const box = drawn.current?.box
    const { time, units } = inView()
    const cell = cursor.value?.cell
    const to = moved(cell ?? { row: Math.floor(units.from), step: Math.floor(time.from) }, key, inView(), size())
    if (to !== undefined) {
      // The first arrow key only shows the cursor.
      const shown = cell === undefined && key.startsWith('Arrow') ? { row: Math.floor(units.from), step: Math.floor(time.from) } : to
      if (view.peek() !== undefined) show(revealed(inView(), shown, size()))
      point(shown, 'keyboard')
    } else if (key === '0') {
      view.value = undefined
    } else if ('+=-'.includes(key) && box !== undefined) {
      const at = cell ?? { row: (units.from + units.to) / 2, step: (time.from + time.to) / 2 }
      const x = box.left + (at.step + 0.5 - time.from) / (time.to - time.from) * box.width
      const y = box.top + (at.row + 0.5 - units.from) / (units.to - units.from) * box.height
      show(zoomAt(inView(), box, { x, y }, key === '-' ? ZOOM : 1 / ZOOM, size()))
    } else if ((key === 'Enter' || key === ' ') && cell !== undefined) {
      onUnit(rows[cell.row])
    } else {
      return
    }
    event.preventDefault()
  }

  return (
    <div class='heat-map'>
      <div
        ref={frame}
        class={frameClass}
        role='application'
        aria-roledescription='heat map'
        aria-label={`${series.name}: ${rows.length} units over time`}
        aria-describedby={help}
        tabIndex={0}
        style={{ height: `${FRAME + rows.length * ROW}px` }}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerCancel={onPointerUp}
        onPointerLeave={() => { if (cursor.value?.by === 'pointer') point(undefined, 'pointer') }}
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} aria-hidden='true' />
      </div>
      <p id={help} class='hidden-text'>{HELP}</p>
      <p class='readout'><Reading series={series} rows={rows} cursor={cursor} otherwise='Point at a value, or use the arrow keys.' /></p>
      <p class='hidden-text' aria-live='polite'><Reading series={series} rows={rows} cursor={spoken} otherwise='' /></p>
      <p class='hint'>{hint(shared.value)}</p>
    </div>
  )
}

/** The exact value under the cursor. */
function Reading ({ series, rows, cursor, otherwise }: Pick<HeatMapProps, 'series' | 'rows'> & { readonly cursor: ReadonlySignal<{ cell: Cell } | undefined>, readonly otherwise: string }) {
  const cell = cursor.value?.cell
  const at = cell && cellAt({ series, rows }, cell.row, cell.step)
  if (cell === undefined || at === undefined) return <>{otherwise}</>
  return <>{labelOf(series, at.unit)}, step {cell.step}: <b>{shortest(at.value)}</b></>
}

function hint ({ steps, units }: { readonly steps: number, readonly units: number }): string {
  if (steps === 1 && units === 1) return ''
  const shared = [...(steps > 1 ? [`${steps} steps`] : []), ...(units > 1 ? [`${units} units`] : [])].join(' × ')
  return `A pixel covers up to ${shared}, and shows the value farthest from zero. Zoom in to see each value.`
}
