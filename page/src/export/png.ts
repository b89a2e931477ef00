import { createHeatMapPainter, type Drawing } from '../plots/heat-map.ts'
import { FONT, INK } from '../plots/paper.ts'
import type { Theme } from '../plots/colours.ts'

const WIDTH = 1200
const RATIO = 2
/** The height of the axes and the legend, in pixels. */
const FRAME = 42

/** A map as a picture, with its axes and legend, on its theme's background. */
export async function toPng (drawing: Drawing, title: string, theme: Theme): Promise<Blob> {
  const { from, to } = drawing.view.units
  const height = FRAME + Math.min(1000, Math.max(240, Math.round((to - from) * 14)))
  const canvas = document.createElement('canvas')
  canvas.width = WIDTH * RATIO
  canvas.height = height * RATIO
  const context = canvas.getContext('2d')
  if (context === null) throw new Error('this browser has no canvas')
  context.fillStyle = INK[theme].paper
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.setTransform(RATIO, 0, 0, RATIO, 0, 0)
  context.font = FONT
  createHeatMapPainter()({ context, width: WIDTH, height, ratio: RATIO, theme }, drawing, Infinity)
  context.fillStyle = INK[theme].text
  context.textAlign = 'left'
  context.textBaseline = 'middle'
  context.fillText(title, 8, 10)
  return await new Promise((resolve, reject) => {
    canvas.toBlob((blob) => { if (blob === null) reject(new Error('this browser cannot make the picture')); else resolve(blob) }, 'image/png')
  })
}
