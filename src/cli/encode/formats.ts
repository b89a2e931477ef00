import { ConfigError } from '../../config/config-error.ts'

export type Format = 'ndjson' | 'csv' | 'safetensors' | 'parquet'

/** The formats by file extension. */
const ENDINGS: Readonly<Record<string, Format>> = { '.ndjson': 'ndjson', '.jsonl': 'ndjson', '.csv': 'csv', '.safetensors': 'safetensors', '.parquet': 'parquet' }
const FORMATS = [...new Set(Object.values(ENDINGS))]

/**
 * The format of a file: the one that is named, otherwise the one for its extension.
 *
 * @param flag the flag that names the file, for messages.
 * @throws ConfigError
 */
export function formatOf (path: string, named: string | undefined, flag: 'in' | 'out'): Format {
  const chosen = named === undefined ? ENDINGS[Object.keys(ENDINGS).find((ending) => path.toLowerCase().endsWith(ending)) ?? ''] : FORMATS.find((format) => format === named)
  if (chosen !== undefined) return chosen
  if (named !== undefined) throw new ConfigError(`encode: --${flag}-format: expected one of ${FORMATS.join(', ')}, got ${named}`)
  throw new ConfigError(`encode: --${flag}: expected a file that ends with ${Object.keys(ENDINGS).join(', ')}, got ${path}; for other names, use --${flag}-format`)
}
