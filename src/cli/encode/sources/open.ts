import { open } from 'node:fs/promises'
import type { Model } from '../../../model/model.ts'
import { widthOfX } from '../../../model/network.ts'
import { EncodeError } from '../encode-error.ts'
import type { Options } from '../options.ts'
import { openCsv } from './csv.ts'
import { openNdjson } from './ndjson.ts'
import { openParquet } from './parquet.ts'
import { openSafetensors } from './safetensors.ts'
import type { Source } from './source.ts'

/**
 * Opens a file of sequences for a model.
 *
 * @throws EncodeError if the file does not match its format, or lacks a column named in `keep`.
 */
export async function openSource ({ input, formats, keep }: Pick<Options, 'input' | 'formats' | 'keep'>, model: Model): Promise<Source> {
  const file = await open(input)
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new EncodeError('is not a file')
    const { size } = stats
    if (keep.length > 0 && (formats.input === 'csv' || formats.input === 'safetensors')) throw new EncodeError(`--keep: ${formats.input} files have no columns to keep`)
    switch (formats.input) {
      case 'ndjson': return openNdjson(file, size, model, keep)
      case 'csv': return await openCsv(file, size, model.shape.sequence.embedding !== undefined)
      case 'safetensors': return await openSafetensors(file, size)
      case 'parquet': return await openParquet(file, size, widthOfX(model.shape.sequence), keep)
    }
  } catch (error) {
    await file.close()
    throw error
  }
}
