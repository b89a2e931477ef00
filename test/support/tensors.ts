import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import { readLayers, type ReadLayers } from '../../src/weights/layouts/layouts.ts'
import type { CellOptions } from '../../src/weights/layouts/options.ts'
import { f32, writeSafetensors, type Written } from './safetensors.ts'

/** The layers read from a file with these tensors. */
export function readTensors (tensors: Record<string, Written>, options?: CellOptions): ReadLayers {
  return readLayers(parseSafetensors(writeSafetensors(tensors)), options)
}

/** A tensor of this shape whose elements are `first`, `first + 1` and so on. */
export function numbered (shape: readonly number[], first = 0): Written {
  return f32(shape, range(first, shape.reduce((a, b) => a * b)))
}

/** `length` numbers, from `first` on. */
export function range (first: number, length: number): number[] {
  return Array.from({ length }, (_, i) => first + i)
}
