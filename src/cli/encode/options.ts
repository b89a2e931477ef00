import { parseArgs } from 'node:util'
import { ConfigError } from '../../config/config-error.ts'
import { readConfig, type Config } from '../../config/settings.ts'
import { formatOf, type Format } from './formats.ts'

/** The fields that an answer can have. */
const FIELDS = ['output', 'y', 'h_out', 'c_out', 'h_next', 'parts']

/** The options of `cellserve encode`. */
export interface Options extends Asked {
  readonly model: string
  readonly input: string
  readonly output: string
  readonly formats: { readonly input: Format, readonly output: Format }
  readonly resume: boolean
  readonly overwrite: boolean
  readonly skipBad: boolean
  readonly quiet: boolean
  /** The service's settings that apply here too. */
  readonly config: Config
}

/** The options that determine which bytes are written; resuming requires the same ones. */
export interface Asked {
  readonly fields: readonly string[]
  readonly parts: readonly string[]
  /** Whether `output`, `y` and `parts` contain every step. */
  readonly sequences: boolean
  /** Feed the same x this many times. */
  readonly steps: number | undefined
  /** Columns that are copied to the answer unchanged, in addition to the id. */
  readonly keep: readonly string[]
  /** `index` counts from 0. */
  readonly shard: { readonly index: number, readonly count: number }
}

/** The names of the fields to answer; a part is `parts/NAME`. */
export function answeredNames ({ fields, parts }: Pick<Asked, 'fields' | 'parts'>): string[] {
  return fields.flatMap((field) => field === 'parts' ? parts.map((part) => `parts/${part}`) : field)
}

const OWN = {
  in: { type: 'string' },
  out: { type: 'string' },
  'in-format': { type: 'string' },
  'out-format': { type: 'string' },
  fields: { type: 'string' },
  parts: { type: 'string' },
  'return-sequences': { type: 'boolean' },
  steps: { type: 'string' },
  keep: { type: 'string' },
  shard: { type: 'string' },
  resume: { type: 'boolean' },
  overwrite: { type: 'boolean' },
  'skip-bad': { type: 'boolean' },
  quiet: { type: 'boolean' }
} as const

/** Flags that have the same meaning as the service's. */
const SHARED = ['models', 'engine', 'threads', 'isa', 'batch-rows', 'feedback-timeout', 'feedback-memory'] as const

/** @throws ConfigError */
export function readOptions (args: readonly string[], env: NodeJS.ProcessEnv): Options {
  const { values, positionals: [model, ...more] } = parse(args)
  const { in: input, out: output } = values
  if (model === undefined || more.length > 0) throw new ConfigError(`encode: expected one MODEL, got ${model === undefined ? 'none' : more.length + 1}`)
  if (input === undefined) throw new ConfigError('encode: --in: is required')
  if (output === undefined) throw new ConfigError('encode: --out: is required')
  const { resume = false, overwrite = false, quiet = false, 'skip-bad': skipBad = false, 'return-sequences': sequences = false } = values
  if (resume && overwrite) throw new ConfigError('encode: --resume and --overwrite exclude each other')
  const parts = listOf(values.parts)
  const fields = fieldsOf(values.fields, parts)
  const config = readConfig(SHARED.flatMap((name) => values[name] === undefined ? [] : [`--${name}`, values[name]]), env)
  if (typeof config === 'string') throw new ConfigError(`encode: --${config} is for the service`)
  return {
    model,
    input,
    output,
    formats: { input: formatOf(input, values['in-format'], 'in'), output: formatOf(output, values['out-format'], 'out') },
    fields,
    parts,
    sequences,
    steps: stepsOf(values.steps),
    keep: listOf(values.keep),
    shard: shardOf(values.shard),
    resume,
    overwrite,
    skipBad,
    quiet,
    config
  }
}

function parse (args: readonly string[]) {
  try {
    const shared = { models: TEXT, engine: TEXT, threads: TEXT, isa: TEXT, 'batch-rows': TEXT, 'feedback-timeout': TEXT, 'feedback-memory': TEXT }
    return parseArgs({ args: [...args], allowPositionals: true, options: { ...OWN, ...shared } })
  } catch (error) {
    throw new ConfigError(`encode: ${error instanceof Error ? error.message.split('\n', 1)[0] : String(error)}`)
  }
}
const TEXT = { type: 'string' } as const

function listOf (text: string | undefined): string[] {
  return text === undefined ? [] : text.split(',').filter((name) => name !== '')
}

function fieldsOf (text: string | undefined, parts: readonly string[]): string[] {
  const fields = text === undefined ? (parts.length > 0 ? ['h_out', 'parts'] : ['h_out']) : [...new Set(listOf(text))]
  const odd = fields.find((field) => !FIELDS.includes(field))
  if (odd !== undefined || fields.length === 0) throw new ConfigError(`encode: --fields: expected some of ${FIELDS.join(', ')}, with commas between them, got ${odd ?? 'none'}`)
  if (fields.includes('parts') !== (parts.length > 0)) throw new ConfigError('encode: --parts lists the parts that the field parts contains, as in --parts read')
  return fields
}

function stepsOf (text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new ConfigError(`encode: --steps: expected how many steps to feed the same x, got ${text}`)
  return Number(text)
}

/** `3/16`: the fourth of sixteen, as Kubernetes counts the pods of a Job. */
function shardOf (text: string | undefined): Asked['shard'] {
  if (text === undefined) return { index: 0, count: 1 }
  const [, index, count] = (/^(\d{1,6})\/([1-9]\d{0,5})$/.exec(text) ?? []).map(Number)
  if (count === undefined || index >= count) throw new ConfigError(`encode: --shard: expected INDEX/COUNT with INDEX from 0 to COUNT - 1, such as 3/16, got ${text}`)
  return { index, count }
}
