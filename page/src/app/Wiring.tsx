import { useId } from 'preact/hooks'
import type { Model } from './model.ts'
import { diagramOf, sentencesOf, type Arrow, type Box } from './wiring.ts'

const LINE = 16
const GAP = { x: 44, y: 18 }
const MARGIN = 8
/** Room below the boxes for the arrows that go back. */
const BACK = 14

interface Place {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** A model as boxes and arrows. Dashed arrows carry what one step leaves to the next. */
export function Wiring ({ model }: { readonly model: Model }) {
  const id = useId()
  const diagram = diagramOf(model)
  const places = layOut(diagram.boxes)
  const bottom = Math.max(...[...places.values()].map(({ y, height }) => y + height))
  const right = Math.max(...[...places.values()].map(({ x, width }) => x + width))
  const back = diagram.arrows.filter(({ next }) => next)
  const width = right + MARGIN
  const height = bottom + BACK * (back.length + 1)
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
            <path key={`${arrow.from} ${arrow.to}`} class={arrow.next ? 'arrow next' : 'arrow'} d={pathOf(arrow, places, bottom + BACK * (back.indexOf(arrow) + 1))} marker-end={`url(#${id}tip)`} />
          ))}
          {diagram.boxes.map((box) => <Node key={box.id} box={box} place={places.get(box.id)} />)}
        </svg>
      </div>
      {back.length > 0 && <figcaption>Dashed: what a step leaves to the next one.</figcaption>}
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

/** Columns side by side, the boxes of each one below the other, around one middle line. */
function layOut (boxes: readonly Box[]): Map<string, Place> {
  const columns = [...new Set(boxes.map(({ column }) => column))].sort((a, b) => a - b).map((column) => boxes.filter((box) => box.column === column))
  const heightOf = ({ lines }: Box): number => LINE * (lines.length + 1) + 14
  const heights = columns.map((column) => column.reduce((sum, box) => sum + heightOf(box) + GAP.y, -GAP.y))
  const tallest = Math.max(...heights)
  const places = new Map<string, Place>()
  let x = MARGIN
  columns.forEach((column, i) => {
    const width = Math.max(64, ...column.flatMap(({ title, lines }) => [8.2 * title.length, ...lines.map((line) => 6.9 * line.length)])) + 18
    let y = MARGIN + (tallest - heights[i]) / 2
    for (const box of column) {
      const height = heightOf(box)
      places.set(box.id, { x, y, width, height })
      y += height + GAP.y
    }
    x += width + GAP.x
  })
  return places
}

/** @param below where an arrow that goes back runs. */
function pathOf ({ from, to, next }: Arrow, places: ReadonlyMap<string, Place>, below: number): string {
  const a = places.get(from)
  const b = places.get(to)
  if (a === undefined || b === undefined) return ''
  if (next) {
    const [start, end] = [a.x + a.width / 2, b.x + b.width / 2 - 10]
    return `M${start} ${a.y + a.height}V${below - 6}Q${start} ${below} ${start - 6} ${below}H${end + 6}Q${end} ${below} ${end} ${below - 6}V${b.y + b.height + 1}`
  }
  // In one column, from one to the one below it.
  if (a.x === b.x) return a.y < b.y ? `M${a.x + a.width / 2} ${a.y + a.height}V${b.y - 1}` : `M${a.x + a.width / 2} ${a.y}V${b.y + b.height + 1}`
  const [x1, y1, x2, y2] = [a.x + a.width, a.y + a.height / 2, b.x - 1, b.y + b.height / 2]
  const bend = Math.min(60, (x2 - x1) / 2)
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`
}
