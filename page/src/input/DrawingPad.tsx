import { useSignal, type ReadonlySignal } from '@preact/signals'
import { useRef } from 'preact/hooks'
import { pointsOf, vectorsOf, type Point, type Width } from './drawing.ts'
import { readVectors, writeVectors } from './numbers.ts'

/** The size of the picture in its own units, by the vectors' width. */
const SIZE = { 1: { width: 320, height: 120 }, 2: { width: 240, height: 240 } }

export interface DrawingPadProps {
  readonly width: Width
  /** The entered text, which the pad shows. */
  readonly text: ReadonlySignal<string>
  readonly onDrawn: (text: string) => void
}

/** A pad for drawing a sequence of one or two numbers per step with a mouse, pen or finger. (Keyboard users enter text instead.) */
export function DrawingPad ({ width, text, onDrawn }: DrawingPadProps) {
  const stroke = useRef<Point[]>([])
  const drawing = useSignal(false)
  const size = SIZE[width]
  const draw = (event: PointerEvent & { currentTarget: SVGSVGElement }): void => {
    const { left, top, width: wide, height: high } = event.currentTarget.getBoundingClientRect()
    stroke.current.push({ x: Math.min(1, Math.max(0, (event.clientX - left) / wide)), y: Math.min(1, Math.max(0, (event.clientY - top) / high)) })
    onDrawn(writeVectors(vectorsOf(stroke.current, width)))
  }
  return (
    <details class='pad'>
      <summary>Draw it</summary>
      <p class='hint'>{width === 1 ? 'Time goes from left to right, values from -1 at the bottom to 1 at the top.' : 'A path: both numbers go from -1 to 1.'}</p>
      <svg
        viewBox={`0 0 ${size.width} ${size.height}`} role='img' aria-label='Drawing of the sequence'
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId)
          stroke.current = []
          drawing.value = true
          draw(event)
        }}
        onPointerMove={(event) => { if (drawing.value) draw(event) }}
        onPointerUp={() => { drawing.value = false }}
        onPointerCancel={() => { drawing.value = false }}
      >
        <path class='middle' d={width === 1 ? `M0 ${size.height / 2}H${size.width}` : `M0 ${size.height / 2}H${size.width}M${size.width / 2} 0V${size.height}`} />
        <polyline points={pointsOf(shown(text.value, width), width).map(({ x, y }) => `${(x * size.width).toFixed(1)},${(y * size.height).toFixed(1)}`).join(' ')} />
      </svg>
    </details>
  )
}

/** The vectors to show; empty if the text cannot be read. */
function shown (text: string, width: Width): number[][] {
  try {
    return readVectors(text, width, 'x').slice(0, 4096)
  } catch {
    return []
  }
}
