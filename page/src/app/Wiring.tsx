import { useId } from 'preact/hooks'
import type { Model } from './model.ts'
import { diagramOf, sentencesOf, type Arrow, type Box } from './wiring.ts'

const LINE = 16
const GAP = { x: 44, y: 18 }
const MARGIN = 8
/** The distance between two parallel arrows above or below the boxes. */
const LANE = 14

interface Place {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** A model as boxes and arrows. Dashed arrows carry values from one step to the next. */
export function Wiring ({ model }: { readonly model: Model }) {
  const id = useId()
  const diagram = diagramOf(model)
  const columns = columnsOf(diagram.boxes)
  const columnOf = (id: string): number => columns.indexOf(diagram.boxes.find((box) => box.id === id)?.column ?? 0)
  const back = diagram.arrows.filter(({ next }) => next)
  // Drawn straight, these arrows would run behind the boxes in between.
  const far = diagram.arrows.filter(({ from, to, next }) => !next && columnOf(to) - columnOf(from) > 1)
  const places = layOut(diagram.boxes, far.length === 0 ? MARGIN : LANE * (far.length + 1))
  const bottom = Math.max(...[...places.values()].map(({ y, height }) => y + height))
  const right = Math.max(...[...places.values()].map(({ x, width }) => x + width))
  const width = right + MARGIN
  const height = bottom + LANE * (back.length + 1)
  const laneOf = (arrow: Arrow): number | undefined => {
    if (arrow.next) return bottom + LANE * (back.indexOf(arrow) + 1)
    return far.includes(arrow) ? LANE * (far.indexOf(arrow) + 1) - 6 : undefined
  }
  return (
    <figure class='wiring'>
      <div class='scrolls' tabIndex={0} role='group' aria-label={`The wiring of ${model.name}`}>
        <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role='img' aria-labelledby={`${id}title ${id}description`}>
          <title id={`${id}title`}>The wiring of {model.name}</title>
          <desc id={`${id}description`}>{sentencesOf(diagram)}</desc>
          <defs>
            <marker id={`${id}tip`} viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' markerHeight='7' orient='auto-start-reverse'><path d='M0 0L8 4L0 8z' /></marker>
          </defs>
          {diagram.arrows.map((arrow) => (
            <path key={`${arrow.from} ${arrow.to}`} class={arrow.next ? 'arrow next' : 'arrow'} d={pathOf(arrow, places, laneOf(arrow))} marker-end={`url(#${id}tip)`} />
          ))}
          {diagram.boxes.map((box) => <Node key={box.id} box={box} place={places.get(box.id)} />)}
        </svg>
      </div>
      {back.length > 0 && <figcaption>Dashed: what a step passes to the next one.</figcaption>}
    </figure>
  )
}

function Node ({ box: { id, title, lines }, place }: { readonly box: Box, readonly place: Place | undefined }) {
  if (place === undefined) return null
  const { x, y, width, height } = place
  const middle = x + width / 2
  return (
    <g class={id === 'cells' ? 'box cells' : 'box'}>
      <rect x={x} y={y} width={width} height={height} rx='6' />
      <text x={middle} y={y + LINE + 3} class='title'>{title}</text>
      {lines.map((line, i) => <text key={line} x={middle} y={y + LINE * (i + 2) + 3}>{line}</text>)}
    </g>
  )
}

/** The columns that have boxes, from left to right. */
function columnsOf (boxes: readonly Box[]): number[] {
  return [...new Set(boxes.map(({ column }) => column))].sort((a, b) => a - b)
}

/** Arranges columns side by side, each a stack of boxes centred on one middle line. */
function layOut (boxes: readonly Box[], top: number): Map<string, Place> {
  const columns = columnsOf(boxes).map((column) => boxes.filter((box) => box.column === column))
  const heightOf = ({ lines }: Box): number => LINE * (lines.length + 1) + 14
  const heights = columns.map((column) => column.reduce((sum, box) => sum + heightOf(box) + GAP.y, -GAP.y))
  const tallest = Math.max(...heights)
  const places = new Map<string, Place>()
  let x = MARGIN
  columns.forEach((column, i) => {
    const width = Math.max(64, ...column.flatMap(({ title, lines }) => [8.2 * title.length, ...lines.map((line) => 6.9 * line.length)])) + 18
    let y = top + (tallest - heights[i]) / 2
    for (const box of column) {
      const height = heightOf(box)
      places.set(box.id, { x, y, width, height })
      y += height + GAP.y
    }
    x += width + GAP.x
  })
  return places
}

/**
 * @param lane the y of its horizontal stretch: below the boxes if it leads back to the next step, above them if it skips columns;
 * undefined for a direct arrow.
 */
function pathOf ({ from, to, next }: Arrow, places: ReadonlyMap<string, Place>, lane: number | undefined): string {
  const a = places.get(from)
  const b = places.get(to)
  if (a === undefined || b === undefined) return ''
  if (lane !== undefined) {
    const [y1, y2, bend] = next ? [a.y + a.height, b.y + b.height + 1, lane - 6] : [a.y, b.y - 1, lane + 6]
    const [x1, x2] = [a.x + a.width / 2, b.x + b.width / 2]
    const turn = x2 < x1 ? -6 : 6
    return `M${x1} ${y1}V${bend}Q${x1} ${lane} ${x1 + turn} ${lane}H${x2 - turn}Q${x2} ${lane} ${x2} ${bend}V${y2}`
  }
  // Both boxes are in one column.
  if (a.x === b.x) return a.y < b.y ? `M${a.x + a.width / 2} ${a.y + a.height}V${b.y - 1}` : `M${a.x + a.width / 2} ${a.y}V${b.y + b.height + 1}`
  const [x1, y1, x2, y2] = [a.x + a.width, a.y + a.height / 2, b.x - 1, b.y + b.height / 2]
  const bend = Math.min(60, (x2 - x1) / 2)
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`
}
