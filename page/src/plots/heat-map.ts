import { labelOf, type Series } from '../series/series.ts'
import { drawLegend, drawSteps, drawUnits, widthOf } from './axes.ts'
import { colourTable } from './colours.ts'
import { LEFT } from './lines.ts'
import { INK, inPixels, type Box, type Paper } from './paper.ts'
import type { Scale } from './scale.ts'
import type { Span } from './span.ts'
import { levelFor, paintTile, TILE, type Extent, type Picture, type Place } from './tile.ts'

export interface View {
  readonly time: Span
  readonly units: Span
}

/** A cell of a map; `row` counts from the top and is not the unit. */
export interface Cell {
  readonly row: number
  readonly step: number
}

export interface Drawing {
  readonly series: Series
  readonly rows: Uint32Array
  readonly scale: Scale
  readonly view: View
  readonly cursor?: Cell | undefined
  /** Rows to mark, in the colours of their lines. */
  readonly marked?: ReadonlyArray<{ readonly row: number, readonly colour: string }>
}

export interface Drawn {
  /** Where the cells are. */
  readonly box: Box
  /** How many steps and units share a pixel. */
  readonly shared: { readonly steps: number, readonly units: number }
  /** False if this frame had no time for some tiles. */
  readonly complete: boolean
}

interface Tile extends Extent {
  readonly canvas: HTMLCanvasElement
  /** The steps that the series had when the tile was painted. */
  steps: number
}

const TOP = 22
const BOTTOM = 20
const RIGHT = 8
/** 32 MB of pixels. */
const MOST_TILES = 128

export type HeatMapPainter = (paper: Paper, drawing: Drawing, milliseconds: number) => Drawn

/** Creates a painter that caches tiles, so that a map that only moves is not painted again. */
export function createHeatMapPainter (): HeatMapPainter {
  const tiles = new Map<string, Tile>()
  const image = new ImageData(TILE, TILE)
  const pixels = new Uint32Array(image.data.buffer)
  let painted: Picture | undefined

  /** Returns a tile, and paints it if it is not cached. */
  function tileOf (picture: Picture, place: Place): Tile {
    const key = keyOf(place)
    let tile = tiles.get(key)
    if (tile === undefined || isBehind(tile, picture, place)) {
      const canvas = tile?.canvas ?? newCanvas()
      const extent = paintTile(pixels, picture, place)
      canvas.getContext('2d')?.putImageData(image, 0, 0)
      tile = { canvas, ...extent, steps: picture.series.steps }
    }
    // Keep the most recently used tiles last.
    tiles.delete(key)
    tiles.set(key, tile)
    return tile
  }

  function isReady (picture: Picture, place: Place): boolean {
    const tile = tiles.get(keyOf(place))
    return tile !== undefined && !isBehind(tile, picture, place)
  }

  return (paper, { series, rows, scale, view, cursor, marked = [] }, milliseconds) => {
    const colours = colourTable(scale.kind, paper.theme)
    if (painted?.series !== series || painted.rows !== rows || painted.colours !== colours || painted.scale.low !== scale.low || painted.scale.high !== scale.high) {
      tiles.clear()
      painted = { series, rows, scale, colours }
    }
    const picture = painted
    const left = Math.max(LEFT, widthOf(paper, [0, rows.length >> 1, rows.length - 1].map((row) => labelOf(series, rows[row] ?? 0))))
    const box = { left, top: TOP, width: Math.max(1, paper.width - left - RIGHT), height: Math.max(1, paper.height - TOP - BOTTOM) }
    const until = performance.now() + milliseconds

    const { context, ratio } = paper
    const across = axisOf(view.time, box.left * ratio, box.width * ratio)
    const down = axisOf(view.units, box.top * ratio, box.height * ratio)
    let complete = true
    inPixels(paper, () => {
      context.imageSmoothingEnabled = false
      context.beginPath()
      context.rect(Math.round(box.left * ratio), Math.round(box.top * ratio), Math.round(box.width * ratio), Math.round(box.height * ratio))
      context.clip()
      let first = true
      for (const column of across.tiles(series.steps)) {
        for (const row of down.tiles(rows.length)) {
          const place = { column, row, stepLevel: across.level, unitLevel: down.level }
          // At least one tile per frame, however slow the machine.
          if (!first && performance.now() > until && !isReady(picture, place)) {
            complete = false
            continue
          }
          first = false
          const tile = tileOf(picture, place)
          const x = across.part(column, tile.width)
          const y = down.part(row, tile.height)
          if (x.count > 0 && y.count > 0) context.drawImage(tile.canvas, x.first, y.first, x.count, y.count, x.at, y.at, x.length, y.length)
        }
      }
    })
    for (const key of tiles.keys()) {
      if (tiles.size <= MOST_TILES) break
      tiles.delete(key)
    }

    drawMarks(paper, box, view, cursor, marked)
    drawSteps(paper, box, view.time)
    drawUnits(paper, box, view.units, series, rows)
    drawLegend(paper, box.left + box.width, 4, scale)
    return { box, shared: { steps: 2 ** across.level, units: 2 ** down.level }, complete }
  }
}

/** The cell at a point of the canvas; undefined outside the map. */
export function cellAtPoint ({ left, top, width, height }: Box, { time, units }: View, x: number, y: number): { step: number, row: number } | undefined {
  const step = time.from + (x - left) / width * (time.to - time.from)
  const row = units.from + (y - top) / height * (units.to - units.from)
  const inside = x >= left && x < left + width && y >= top && y < top + height
  return inside ? { step: Math.floor(step), row: Math.floor(row) } : undefined
}

function drawMarks (paper: Paper, box: Box, { time, units }: View, cursor: Cell | undefined, marked: NonNullable<Drawing['marked']>): void {
  const { context } = paper
  const width = box.width / (time.to - time.from)
  const height = box.height / (units.to - units.from)
  context.save()
  context.beginPath()
  context.rect(box.left - 4, box.top, box.width + 4, box.height)
  context.clip()
  for (const { row, colour } of marked) {
    context.fillStyle = colour
    context.fillRect(box.left - 4, box.top + (row - units.from) * height, 4, Math.max(2, height))
  }
  if (cursor !== undefined) {
    const x = box.left + (cursor.step - time.from) * width
    const y = box.top + (cursor.row - units.from) * height
    // Two lines, so that one of them is visible on any colour.
    for (const [colour, wider] of [[INK[paper.theme].paper, 2], [INK[paper.theme].mark, 1]] as const) {
      context.strokeStyle = colour
      context.lineWidth = 1
      context.strokeRect(x - wider + 0.5, y - wider + 0.5, Math.max(3, width) + 2 * wider - 1, Math.max(3, height) + 2 * wider - 1)
    }
  }
  context.restore()
}

/** Maps the cells of a span to the pixels of an axis. */
function axisOf ({ from, to }: Span, start: number, length: number) {
  const level = levelFor(to - from, length)
  const cells = 2 ** level
  const scale = length / (to - from)
  const pixelOf = (cell: number): number => Math.round(start + (cell - from) * scale)
  return {
    level,
    /** The tiles in view. */
    tiles (available: number): number[] {
      const first = Math.floor(from / (TILE * cells))
      const end = Math.ceil(Math.min(to, available) / (TILE * cells))
      return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i)
    },
    /** The part of a tile that is in view, in the tile's pixels and in the canvas's. */
    part (tile: number, extent: number) {
      const first = Math.max(0, Math.floor(from / cells) - tile * TILE)
      const end = Math.min(extent, Math.ceil(to / cells) - tile * TILE)
      const at = pixelOf((tile * TILE + first) * cells)
      return { first, count: end - first, at, length: pixelOf((tile * TILE + end) * cells) - at }
    }
  }
}

/** Whether a tile was painted before the series had all of its steps. */
function isBehind (tile: Tile, { series }: Picture, { column, stepLevel }: Place): boolean {
  return tile.steps < series.steps && tile.steps < ((column + 1) * TILE) << stepLevel
}

function keyOf ({ column, row, stepLevel, unitLevel }: Place): string {
  return `${stepLevel} ${unitLevel} ${column} ${row}`
}

function newCanvas (): HTMLCanvasElement {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = TILE
  return canvas
}
