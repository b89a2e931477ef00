import { valueAt, type Series } from '../series/series.ts'
import { SHADES } from './colours.ts'
import type { Scale } from './scale.ts'

/** Width and height of a tile, in pixels. */
export const TILE = 256

/**
 * The part of a map that a tile covers, and how many cells share one of its pixels: 2 to the power of the level, along each axis.
 */
export interface Place {
  readonly column: number
  readonly row: number
  readonly stepLevel: number
  readonly unitLevel: number
}

/** What a map shows: a series, the units of its rows from top to bottom, and the mapping from values to colours. */
export interface Picture {
  readonly series: Series
  readonly rows: Uint32Array
  readonly scale: Scale
  readonly colours: Uint32Array
}

export interface Extent {
  readonly width: number
  readonly height: number
}

const strongest = new Float32Array(TILE)

/**
 * Paints a tile. If several cells share a pixel, it shows the one farthest from zero: a mean would hide a lone spike. NaN stays
 * transparent.
 *
 * @param pixels `[TILE][TILE]`, from top to bottom.
 * @returns the painted size of the tile, which is smaller where the series ends.
 */
export function paintTile (pixels: Uint32Array, { series, rows, scale, colours }: Picture, { column, row, stepLevel, unitLevel }: Place): Extent {
  const { size, steps, values } = series
  const firstStep = (column * TILE) << stepLevel
  const firstRow = (row * TILE) << unitLevel
  const width = Math.min(TILE, Math.ceil((steps - firstStep) / 2 ** stepLevel))
  const height = Math.min(TILE, Math.ceil((rows.length - firstRow) / 2 ** unitLevel))
  const factor = (SHADES - 1) / (scale.high - scale.low)
  const shift = 0.5 - scale.low * factor
  for (let x = 0; x < width; x++) {
    const from = firstStep + (x << stepLevel)
    const to = Math.min(steps, from + (1 << stepLevel))
    strongest.fill(0)
    for (let step = from; step < to; step++) {
      const base = step * size
      for (let y = 0; y < height; y++) {
        const begin = firstRow + (y << unitLevel)
        const end = Math.min(rows.length, begin + (1 << unitLevel))
        let kept = strongest[y]
        for (let i = begin; i < end; i++) {
          const value = values[base + rows[i]]
          if (!(Math.abs(value) <= Math.abs(kept))) kept = value
        }
        strongest[y] = kept
      }
    }
    for (let y = 0; y < height; y++) {
      const shade = strongest[y] * factor + shift
      // NaN fails all comparisons; infinities get the end colours.
      pixels[y * TILE + x] = shade >= SHADES ? colours[SHADES - 1] : shade >= 0 ? colours[Math.trunc(shade)] : shade < 0 ? colours[0] : 0
    }
  }
  return { width: Math.max(0, width), height: Math.max(0, height) }
}

/** The level at which drawing this many cells on this many pixels skips no cell. */
export function levelFor (cells: number, pixels: number): number {
  return Math.max(0, Math.ceil(Math.log2(cells / pixels) - 1e-9))
}

/** The unit and exact value of a cell, read from the series because a pixel of an overview can show another cell's value. */
export function cellAt ({ series, rows }: Pick<Picture, 'series' | 'rows'>, row: number, step: number): { unit: number, value: number } | undefined {
  const unit = rows[row]
  const value = unit === undefined ? undefined : valueAt(series, unit, step)
  return value === undefined ? undefined : { unit, value }
}
