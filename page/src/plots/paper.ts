import type { Theme } from './colours.ts'

/** The colours of each theme's plots. */
export const INK: Record<Theme, { readonly text: string, readonly line: string, readonly paper: string, readonly mark: string }> = {
  light: { text: '#3b3f46', line: '#c4c8cf', paper: '#ffffff', mark: '#000000' },
  dark: { text: '#c5c9d1', line: '#4a4f58', paper: '#14161a', mark: '#ffffff' }
}

export const FONT = '11px system-ui, sans-serif'

/** A rectangle of a canvas, in CSS pixels. */
export interface Box {
  readonly left: number
  readonly top: number
  readonly width: number
  readonly height: number
}

/** A canvas to draw on; `ratio` is how many of its pixels make one CSS pixel. */
export interface Paper {
  readonly context: CanvasRenderingContext2D
  readonly width: number
  readonly height: number
  readonly ratio: number
  readonly theme: Theme
}

/** Fits a canvas to its size on the page, and clears it. */
export function paperOf (canvas: HTMLCanvasElement, theme: Theme, ratio = window.devicePixelRatio): Paper | undefined {
  const context = canvas.getContext('2d')
  const { clientWidth: width, clientHeight: height } = canvas
  if (context === null || width === 0 || height === 0) return undefined
  const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)]
  if (canvas.width !== columns) canvas.width = columns
  if (canvas.height !== rows) canvas.height = rows
  const paper = { context, width, height, ratio, theme }
  inPixels(paper, () => { context.clearRect(0, 0, columns, rows) })
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.font = FONT
  return paper
}

/** Draws with the canvas's own pixels as units. */
export function inPixels ({ context }: Paper, draw: () => void): void {
  context.save()
  context.setTransform(1, 0, 0, 1, 0, 0)
  draw()
  context.restore()
}
