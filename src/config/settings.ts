import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Type, { type Static } from '../tensor/typebox.ts'
import { InputError } from '../errors.ts'
import { compile } from '../tensor/schema.ts'
import { originFault, proxiesFault } from './addresses.ts'
import { ConfigError } from './config-error.ts'
import { nearest, readVariables, variable } from './environment.ts'
import { keysFault } from './keys.ts'
import { hasPassword, storeFault } from './store-address.ts'
import { workersFault } from './workers.ts'

/** Every setting: its flag is `--name`, its environment variable `CELLSERVE_NAME` in capitals with underscores. */
export const Settings = Type.Object({
  models: Type.String({ minLength: 1, description: 'Folder of models: NAME.safetensors or NAME/model.safetensors. Default: the demo models' }),
  'default-model': Type.Optional(Type.String({ minLength: 1, description: 'The model that answers requests that name none. Default: the one whose config.json says so, or the only one' })),
  watch: Type.Optional(Type.Number({ minimum: 0.1, maximum: 86_400, description: 'Seconds between checks of the models folder for changes to load. Default: changes are loaded only on SIGHUP' })),
  'repository-api': Type.Boolean({ default: false, description: 'Let clients load and unload models: POST /v2/repository/...' }),
  host: Type.String({ minLength: 1, default: '127.0.0.1', description: 'Address to listen on; 0.0.0.0 for all' }),
  port: Type.Integer({ minimum: 0, maximum: 65535, default: 8080, description: 'Port to listen on; 0 for any free one' }),
  workers: Type.String({ minLength: 1, default: '1', description: 'Processes that serve together on one port: a number, or auto for one per available core' }),
  engine: Type.Enum(['auto', 'native', 'tfjs'], {
    default: 'auto', description: 'Compute engine: auto, native or tfjs'
  }),
  threads: Type.Optional(Type.Integer({ minimum: 1, maximum: 1024, description: 'Compute threads of the native engine, in all workers together. Default: one per available core' })),
  isa: Type.Optional(Type.String({ minLength: 1, description: 'Instruction set of the native engine: avx512, avx2, neon or portable. Default: the best that the CPU has' })),
  'log-level': Type.Enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
    default: 'info', description: 'fatal, error, warn, info, debug, trace or silent'
  }),
  'body-limit': Type.Integer({ minimum: 1024, maximum: 2 ** 30, default: 2 ** 24, description: 'Largest request body or WebSocket frame, in bytes' }),
  'max-steps': Type.Integer({ minimum: 1, maximum: 2 ** 24, default: 2 ** 16, description: 'Largest B x T of a request' }),
  'max-work': Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, default: 2 ** 40, description: 'Most multiply-adds of a request: its rows x steps x the work of a step, attention reads included' }),
  'batch-rows': Type.Integer({ minimum: 1, maximum: 4096, default: 64, description: 'Most rows that are computed together; 1 turns batching off' }),
  'max-rows': Type.Integer({ minimum: 1, maximum: 2 ** 24, default: 4096, description: 'Most rows in progress; beyond that, requests get a 503' }),
  'max-bytes': Type.Integer({ minimum: 1, maximum: 2 ** 40, default: 2 ** 28, description: 'Most bytes that requests hold; beyond that, requests get a 503' }),
  sessions: Type.String({ minLength: 1, default: 'memory', description: 'Where sessions are kept: memory, or a Valkey or Redis that replicas share, redis://user:password@host:port/db; rediss:// for TLS' }),
  'max-sessions': Type.Integer({ minimum: 0, maximum: 2 ** 24, default: 100_000, description: 'Most sessions at once; beyond that, new ones get a 503, and no live session is ended' }),
  'max-session-bytes': Type.Integer({ minimum: 0, maximum: 2 ** 40, default: 2 ** 28, description: 'Most bytes that sessions hold in memory; beyond that, new ones get a 503' }),
  'session-timeout': Type.Number({ exclusiveMinimum: 0, maximum: 2_592_000, default: 900, description: 'Most seconds for which a session or a WebSocket may be idle; also the timeout of sessions that set none' }),
  'api-key': Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: 'A key that clients must send; for several, repeat the flag or use commas in the variable' })),
  'api-key-file': Type.Optional(Type.String({ minLength: 1, description: 'File of API keys, one per line' })),
  'metrics-port': Type.Optional(Type.Integer({ minimum: 0, maximum: 65535, description: 'Port that serves only /metrics, without a key' })),
  'rate-limit': Type.Optional(Type.Integer({ minimum: 1, description: 'Most requests per second from a client, by key or address' })),
  'cors-origin': Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description: 'Origin whose pages may call the service, such as https://app.example.org; repeat the flag for several; * for all' })),
  'trust-proxy': Type.Optional(Type.String({ minLength: 1, description: 'Addresses of proxies whose x-forwarded-for is trusted, such as 10.0.0.0/8' })),
  'max-connections': Type.Integer({ minimum: 1, maximum: 2 ** 20, default: 4096, description: 'Most connections at once; more are closed' }),
  'max-sockets': Type.Integer({ minimum: 0, maximum: 2 ** 20, default: 2048, description: 'Most WebSockets at once; beyond that, new ones get a 503' }),
  'ping-interval': Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 30, description: 'Seconds of silence after which a WebSocket is pinged; after as many again, it is closed' }),
  'max-header-bytes': Type.Integer({ minimum: 1024, maximum: 2 ** 20, default: 2 ** 14, description: 'Largest head of a request, in bytes' }),
  'header-timeout': Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 10, description: 'Seconds within which the head of a request must arrive' }),
  'body-timeout': Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 60, description: 'Seconds within which the whole request must arrive' }),
  'keep-alive-timeout': Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 72, description: 'Seconds for which a connection may stay idle' }),
  page: Type.Boolean({ default: true, description: 'Serve the page for people at /; --no-page turns it off' }),
  'access-log': Type.Boolean({ default: false, description: 'Log one line per answer' }),
  'feedback-timeout': Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 1, description: 'Seconds within which a model\'s feedback.mjs must return' }),
  'feedback-memory': Type.Integer({ minimum: 32, maximum: 2 ** 20, default: 256, description: 'MiB of memory that a feedback.mjs may use' }),
  'request-timeout': Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 30, description: 'Seconds after which an unanswered request gets a 504' }),
  grace: Type.Number({ exclusiveMinimum: 0, maximum: 3600, default: 10, description: 'Seconds that accepted requests have to finish after SIGTERM or SIGINT' })
})

export type Config = Static<typeof Settings>

export { ConfigError }

const validate = compile(Settings)

const NAMES = Object.keys(Settings.properties)

const DEMO = fileURLToPath(new URL('../../models', import.meta.url))

/**
 * Reads the configuration; a flag overrides its environment variable. The models folder defaults to the demo models.
 *
 * @returns `help` or `version` if the flags ask for that.
 * @throws ConfigError
 */
export function readConfig (args: readonly string[], env: NodeJS.ProcessEnv): Config | 'help' | 'version' {
  const flags = readFlags(args)
  if (flags.help === true) return 'help'
  if (flags.version === true) return 'version'
  const variables = readVariables(env)
  refuseUnknown(variables)
  if ('api-key' in flags && SCRIPTS.has(env.npm_lifecycle_event)) {
    throw new ConfigError('--api-key: npm prints the flags of what it starts, so this key is in the log already; use --api-key-file or CELLSERVE_API_KEY, or run node dist/main.js')
  }
  if (typeof flags.sessions === 'string' && hasPassword(flags.sessions) && SCRIPTS.has(env.npm_lifecycle_event)) {
    throw new ConfigError('--sessions: npm prints the flags of what it starts, so this password is in the log already; use CELLSERVE_SESSIONS, or run node dist/main.js')
  }
  const source = (name: string): string => name in flags ? `--${name}` : variable(name)
  const given: Record<string, unknown> = {}
  for (const [name, schema] of Object.entries(Settings.properties)) {
    const text = flags[name] ?? variables.get(variable(name))
    if (text !== undefined) given[name] = toValue(text, typeOf(schema))
  }
  let config: Config
  try {
    config = validate({ models: DEMO, ...given }, '')
  } catch (error) {
    if (!(error instanceof InputError)) throw error
    const [{ path, message }] = error.errors
    throw new ConfigError(`${source(path.slice(1).split('/', 1)[0])}: ${message}`)
  }
  for (const [name, fault] of faultsOf(config)) if (fault !== undefined) throw new ConfigError(`${source(name)}: ${fault}`)
  return config
}

/** Checks what a schema cannot, or what a schema would report in words that show a key. */
function faultsOf ({ 'api-key': keys, 'cors-origin': origins, 'trust-proxy': proxies, sessions, workers }: Config): Array<[name: string, fault: string | undefined]> {
  return [
    ['api-key', keys && keysFault(keys)],
    ...(origins ?? []).map((origin): [string, string | undefined] => ['cors-origin', originFault(origin)]),
    ['trust-proxy', proxies && proxiesFault(proxies)],
    ['sessions', storeFault(sessions)],
    ['workers', workersFault(workers)]
  ]
}

/** The scripts of package.json that start the service. */
const SCRIPTS: ReadonlySet<string | undefined> = new Set(['start', 'dev'])

function refuseUnknown (variables: ReadonlyMap<string, string>): void {
  const known = NAMES.map(variable)
  const unknown = [...variables.keys()].find((name) => !known.includes(name))
  if (unknown !== undefined) throw new ConfigError(`${unknown}: there is no such setting${didYouMean(nearest(unknown, known))}`)
}

const didYouMean = (name: string | undefined): string => name === undefined ? '' : `; did you mean ${name}?`

function readFlags (args: readonly string[]): Record<string, string | boolean | string[] | undefined> {
  const options = Object.fromEntries(Object.entries(Settings.properties).map(([name, schema]) => {
    return [name, { type: typeOf(schema) === 'boolean' ? 'boolean' : 'string', multiple: typeOf(schema) === 'array' } as const]
  }))
  try {
    return parseArgs({ args: joinNegative(args), allowNegative: true, options: { ...options, help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'v' } } }).values
  } catch (error) {
    const message = error instanceof Error ? error.message.split('\n')[0] : String(error)
    const [, unknown] = /^Unknown option '(--[^']+)'/.exec(message) ?? []
    if (unknown === undefined) throw new ConfigError(message)
    throw new ConfigError(`${unknown}: there is no such flag${didYouMean(nearest(unknown, NAMES.map((name) => `--${name}`)))}`)
  }
}

/** Turns `--flag -1` into `--flag=-1`: a number is not a flag, and is checked like any other value. */
function joinNegative (args: readonly string[]): string[] {
  return args.reduce<string[]>((joined, arg) => {
    const last = joined.at(-1) ?? ''
    return /^-\d/.test(arg) && /^--[^=]+$/.test(last) ? [...joined.slice(0, -1), `${last}=${arg}`] : [...joined, arg]
  }, [])
}

function typeOf (schema: object): unknown {
  return 'type' in schema ? schema.type : undefined
}

/** A flag or a variable as its schema's type; unchanged if it cannot be read as that type. */
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
    'Serves recurrent networks, including those whose input hidden size differs from their output hidden size.',
    'A flag overrides its environment variable.',
    '',
    ...rows.map(([flag, name, description]) => `  ${flag.padEnd(20)} ${name.padEnd(29)} ${description}`),
    ''
  ].join('\n')
}
