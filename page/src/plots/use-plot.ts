import { effect, type ReadonlySignal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Theme } from './colours.ts'
import { paperOf, type Paper } from './paper.ts'

/**
 * A canvas that is drawn after each render, when its size changes, and when a signal changes; at most once per frame.
 *
 * @param draw returns false if it has not finished; it is then called again in the next frame.
 * @param watched the signals; the same number in every render.
 */
export function usePlot (theme: Theme, draw: (paper: Paper) => boolean, watched: ReadonlyArray<ReadonlySignal<unknown>>) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const latest = useRef<() => void>(() => {})
  const [frames] = useState(() => createFrames(() => { latest.current() }))
  latest.current = () => {
    const paper = canvas.current === null ? undefined : paperOf(canvas.current, theme)
    if (paper !== undefined && !draw(paper)) frames.request()
  }
  useEffect(() => { frames.request() })
  useEffect(() => effect(() => {
    watched.forEach(({ value }) => value)
    frames.request()
  }), watched)
  useEffect(() => {
    const observer = new ResizeObserver(() => { frames.request() })
    if (canvas.current !== null) observer.observe(canvas.current)
    return () => {
      observer.disconnect()
      frames.cancel()
    }
  }, [])
  return canvas
}

function createFrames (draw: () => void) {
  let id: number | undefined
  return {
    request () {
      id ??= requestAnimationFrame(() => {
        id = undefined
        draw()
      })
    },
    cancel () {
      if (id !== undefined) cancelAnimationFrame(id)
      id = undefined
    }
  }
}
