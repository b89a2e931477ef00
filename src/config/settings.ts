import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Type, { type Static } from 'typebox'
import { InputError } from '../errors.ts'
import { compile } from '../tensor/schema.ts'

/** Every setting: its flag is `--name`, its environment variable `CELLSERVE_NAME` in capitals with underscores. */
export const Settings = Type.Object({
  models: Type.String({ minLength: 1, description: 'Folder of models: NAME.safetensors or NAME/model.safetensors. Default: the demo models' }),
  'default-model': Type.Optional(Type.String({ minLength: 1, description: 'The model that answers where a request names none. Default: the one whose config.json says so, or the only one' })),
  host: Type.String({ minLength: 1, default: '127.0.0.1', description: 'Address to listen on; 0.0.0.0 for all' }),
  port: Type.Integer({ minimum: 0, maximum: 65535, default: 8080, description: 'Port to listen on; 0 for any free one' }),
  engine: Type.Enum(['auto', 'native', 'tfjs'], {
    default: 'auto', description: 'What computes: auto, native or tfjs'
  }),
  threads: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024, description: 'Compute threads of the native engine. Default: the cores it may use' })),
  'log-level': Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    default: 'info', description: 'fatal, error, warn, info, debug, trace or silent'
  }),
  'body-limit': Type.Integer({ minimum: 1024, maximum: 2 ** 30, default: 2 ** 24, description: 'Largest request body, in bytes' }),
  'max-steps': Type.Integer({ minimum: 1, maximum: 2 ** 24, default: 2 ** 16, description: 'Largest B x T of a request' }),
  'batch-rows': Type.Integer({ minimum: 1, maximum: 4096, default: 64, description: 'Most rows that are computed together; 1 turns batching off' }),
  'max-rows': Type.Integer({ minimum: 1, maximum: 2 ** 24, default: 4096, description: 'Most rows in work; past it requests are refused with a 503' }),
  'max-bytes': Type.Integer({ minimum: 1, maximum: 2 ** 40, default: 2 ** 28, description: 'Most bytes that requests hold; likewise' }),
  'api-key': Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: 'A key that clients must send; may be given more than once, or with commas in the variable' })),
  'api-key-file': Type.Optional(Type.String({ minLength: 1, description: 'File of such keys, one a line' })),
  'metrics-port': Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, description: 'Port for /metrics alone, which needs no key there' })),
  'rate-limit': Type.Optional(Type.Integer({ minimum: 1, description: 'Most requests of a client, by key or address, in a second' })),
  'cors-origin': Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: 'Origin whose pages may call; may be given more than once; * for all' })),
  'trust-proxy': Type.Optional(Type.String({ minLength: 1, description: 'Addresses of proxies whose x-forwarded-for is believed, as 10.0.0.0/8' })),
  'max-connections': Type.Integer({ minimum: 1, maximum: 2 ** 20, default: 4096, description: 'Most connections at once; more are closed' }),
  'max-header-bytes': Type.Integer({ minimum: 1024, maximum: 2 ** 20, default: 2 ** 14, description: 'Largest head of a request, in bytes' }),
  'header-timeout': Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 10, description: 'Seconds in which the head of a request must arrive' }),
  'body-timeout': Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 60, description: 'Seconds in which the whole of it must' }),
  'keep-alive-timeout': Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 72, description: 'Seconds for which a connection may be idle' }),
  'access-log': Type.Boolean({ default: false, description: 'Log a line for every answer' }),
  'request-timeout': Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 30, description: 'Seconds in which a request is answered, or refused with a 504' }),
  grace: Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 10, description: 'Seconds that accepted requests have to finish after SIGTERM or SIGINT' })
})

export type Config = Static<typeof Settings>

/** A wrong flag or variable; the message is one line that says what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const validate = compile(Settings)

const DEMO = fileURLToPath(new URL('../../models', import.meta.url))

/**
 * Reads the configuration; a flag goes before its environment variable. Without a models folder it is the demo's.
 *
 * @returns `help` or `version` where that is asked for.
 * @throws ConfigError
 */
export function readConfig (args: readonly string[], env: NodeJS.ProcessEnv): Config | 'help' | 'version' {
  const flags = readFlags(args)
  if (flags.help === true) return 'help'
  if (flags.version === true) return 'version'
  const given: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(Settings.properties)) {
    const text = flags[name] ?? env[variable(name)]
    // As in most programs, an empty variable is one that is not set.
    if (text !== undefined && (text !== '' || name in flags)) given[name] = toValue(text, typeOf(schema))
  }
  try {
    return validate({ models: DEMO, ...given }, '')
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const [{ path, message }] = error.errors
    const name = path.slice(1).split('/', 1)[0]
    throw new ConfigError(`${name in flags ? `--${name}` : variable(name)}: ${message}`)
  }
}

function readFlags (args: readonly string[]): Record<string, string | boolean | string[] | undefined> {
  const options = Object.fromEntries(Object.entries(Settings.properties).map(([name, schema]) => {
    return [name, { type: typeOf(schema) === 'boolean' ? 'boolean' : 'string', multiple: typeOf(schema) === 'array' } as const]
  }))
  try {
    return parseArgs({ args: [...args], options: { ...options, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'v' } } }).values
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message.split('\n')[0] : String(error))
  }
}

function typeOf (schema: object): unknown {
  return 'type' in schema ? schema.type : undefined
}

/** What a flag or a variable says, as its schema has it; where it says nothing of the kind, as it is. */
function toValue (given: string | boolean | string[], type: unknown): unknown {
  if (typeof given !== 'string') return given
  switch (type) {
    case 'integer':
    case 'number': return /^-?\d+(\.\d+)?$/.test(given) ? Number(given) : given
    case 'boolean': return given === 'true' || given === 'false' ? given === 'true' : given
    case 'array': return given.split(',')
    default: return given
  }
}

function variable (name: string): string {
  return `CELLSERVE_${name.toUpperCase().replaceAll('-', '_')}`
}

/** The text of `--help`. */
export function helpText (): string {
  const rows = Object.entries(Settings.properties).map(([name, schema]) => {
    const fallback = 'default' in schema ? `. Default: ${String(schema.default)}` : ''
    return [`--${name}`, variable(name), `${'description' in schema ? String(schema.description) : ''}${fallback}`]
  })
  rows.push(['--help', '', 'This text'], ['--version', '', 'The version'])
  return [
    'Usage: cellserve [--flag value ...]',
    '',
    'Serves LSTM cells whose input hidden size may differ from their output hidden size.',
    'A flag goes before its environment variable.',
    '',
    ...rows.map(([flag, name, description]) => `  ${flag.padEnd(20)} ${name.padEnd(29)} ${description}`),
    ''
  ].join('\n')
}
