import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { f32, writeSafetensors } from '../test/support/safetensors.ts'

/** `length` random float32 numbers in [-scale, scale). */
export function random (length: number, scale = 1): number[] {
  return Array.from({ length }, () => Math.fround((Math.random() * 2 - 1) * scale))
}

export function median (values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]
}

/** A folder with one LSTMCell per `n` of `units`, with I = Hi = Ho = n and the name `n`. */
export async function writeBenchModels (units: readonly number[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-bench-'))
  for (const n of units) await writeBenchModel(folder, String(n), n, n)
  return folder
}

/** Adds an LSTMCell with I inputs and Hi = Ho = n. */
export async function writeBenchModel (folder: string, name: string, I: number, n: number): Promise<void> {
  const weights = (...shape: number[]) => f32(shape, random(shape.reduce((a, b) => a * b), 1 / Math.sqrt(n)))
  await writeFile(join(folder, `${name}.safetensors`), writeSafetensors({ weight_ih: weights(4 * n, I), weight_hh: weights(4 * n, n), bias_ih: weights(4 * n), bias_hh: weights(4 * n) }))
}
