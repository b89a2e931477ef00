import { writeSafetensors, type Written } from '../support/safetensors.ts'
import type { Dice } from '../support/dice.ts'

/** The bytes of a request. */
export interface Sent {
  readonly method: string
  readonly path: string
  readonly bytes: Buffer
  /** Whether the request follows the document, for a model that exists. */
  readonly good: boolean
}

interface DemoModel {
  readonly path: string
  readonly I: number
  readonly Hi: number
  readonly Ho: number
  readonly attention?: boolean
  /** How many ids there are, if it reads those. */
  readonly vocabulary?: number
}

const MODELS: readonly DemoModel[] = [
  { path: '', I: 2, Hi: 6, Ho: 3 },
  { path: '/models/custom-lstm', I: 2, Hi: 6, Ho: 3 },
  { path: '/models/symmetric', I: 2, Hi: 4, Ho: 4 },
  { path: '/models/matching-networks', I: 4, Hi: 8, Ho: 4, attention: true },
  { path: '/models/tagger', I: 6, Hi: 14, Ho: 14, vocabulary: 11 },
  { path: '/models/ends', I: 3, Hi: 16, Ho: 16, vocabulary: 11 }
]

const READS = ['/models', '/models/custom-lstm', '/models/nobody', '/health/live', '/health/ready', '/metrics']

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

interface Draft {
  method: string
  path: string
  query: string
  headers: Array<[string, string]>
  body: Buffer | undefined
}

/**
 * Makes requests of all kinds: some follow the document, some have something changed.
 *
 * @param sessions ids of sessions of the model custom-lstm.
 */
export function createRequests (dice: Dice, sessions: readonly string[]) {
  const number = (): number => dice.chance(0.9) ? (dice.below(2001) - 1000) / 500 : dice.pick([0, -0, 1e-45, 1e30, -1e30, 12345678.9, 2 ** 24 + 1])
  const tensor = (...shape: number[]): Json[] => {
    const [size, ...rest] = shape
    return Array.from({ length: size }, () => rest.length === 0 ? number() : tensor(...rest))
  }
  const some = (): number => 1 + dice.below(dice.chance(0.9) ? 4 : 40)

  const ids = (vocabulary: number, length: number): number[] => Array.from({ length }, () => dice.below(vocabulary))

  function stepOf ({ I, Hi, Ho, vocabulary }: DemoModel): Record<string, Json> {
    const B = some()
    return {
      ...(vocabulary === undefined ? { x: dice.pick([() => tensor(I), () => tensor(B, I), () => tensor(B, 1, I)])() } : { ids: dice.pick([dice.below(vocabulary), ids(vocabulary, B)]) }),
      ...(dice.chance(0.5) && { h_in: tensor(Hi) }),
      ...(dice.chance(0.5) && { c_in: tensor(Ho) })
    }
  }

  function sequenceOf ({ I, Hi, Ho, attention = false, vocabulary }: DemoModel): Record<string, Json> {
    const [B, T] = [some(), some()]
    const x = dice.pick<() => Record<string, Json>>(vocabulary !== undefined
      ? [
          () => ({ ids: ids(vocabulary, T) }),
          () => ({ ids: Array.from({ length: B }, () => ids(vocabulary, T)) }),
          () => ({ ids: Array.from({ length: B }, () => ids(vocabulary, T)), lengths: Array.from({ length: B }, () => 1 + dice.below(T)) }),
          () => ({ ids: Array.from({ length: B }, () => ids(vocabulary, 1 + dice.below(T))) })
        ]
      : [
          () => ({ x: tensor(T, I) }),
          () => ({ x: tensor(B, T, I) }),
          () => ({ x: tensor(B, T, I), lengths: Array.from({ length: B }, () => 1 + dice.below(T)) }),
          () => ({ x: Array.from({ length: B }, () => tensor(1 + dice.below(T), I)) }),
          () => ({ x: tensor(I), steps: T }),
          () => ({ x: tensor(B, I), steps: T })
        ])()
    return {
      ...x,
      ...(dice.chance(0.3) && { h_in: tensor(Hi) }),
      ...(dice.chance(0.3) && { c_in: tensor(Ho) }),
      ...(dice.chance(0.2) && { h_0: tensor(Ho) }),
      ...(dice.chance(0.3) && { return_sequences: dice.chance(0.5) }),
      ...(dice.chance(0.2) && { fields: dice.pick([['output'], ['h_out', 'c_out'], ['h_next', 'parts']]) }),
      ...(attention && { context: { support: tensor(some(), Ho) }, ...(dice.chance(0.5) && { parts: dice.pick([['attention'], ['read', 'attention']]) }) })
    }
  }

  /** The same request as a safetensors document and a query string; undefined if its rows are ragged. */
  function asSafetensors ({ steps, return_sequences: sequences, parts, fields: wanted, lengths, context, ids, ...fields }: Record<string, Json>): { body: Buffer, query: string } | undefined {
    const { support }: Record<string, Json> = { ...Object(context) }
    const tensors: Record<string, Written> = {}
    for (const [name, value] of Object.entries({ ...fields, ...(support !== undefined && { support }) })) {
      const shape = shapeOf(value)
      const values = [value].flat(4).map(Number)
      if (values.length !== shape.reduce((a, b) => a * b, 1)) return undefined
      const [dtype, bytes] = dice.pick([['F32', new Float32Array(values)], ['F64', new Float64Array(values)]] as const)
      tensors[name] = { dtype, shape, bytes: new Uint8Array(bytes.buffer) }
    }
    for (const [name, value] of Object.entries({ ...(lengths !== undefined && { lengths }), ...(ids !== undefined && { ids }) })) {
      const shape = shapeOf(value)
      const values = [value].flat(3).map(Number)
      if (values.length !== shape.reduce((a, b) => a * b, 1)) return undefined
      const [dtype, bytes] = dice.pick([['I32', Int32Array.from(values)], ['I64', BigInt64Array.from(values, BigInt)]] as const)
      tensors[name] = { dtype, shape, bytes: new Uint8Array(bytes.buffer) }
    }
    const options = Object.entries({ steps, return_sequences: sequences, parts, fields: wanted }).filter(([, value]) => value !== undefined)
    return { body: Buffer.from(writeSafetensors(tensors)), query: options.length === 0 ? '' : `?${options.map(([name, value]) => `${name}=${String(value)}`).join('&')}` }
  }

  function good (): { draft: Draft, json: Record<string, Json> | undefined } {
    const headers: Array<[string, string]> = [['host', 'localhost']]
    if (dice.chance(0.4)) headers.push(['accept', dice.pick(['*/*', 'application/json', 'application/vnd.safetensors', 'application/x-ndjson', 'text/html', 'application/*;q=0.2, text/plain', ';;', ''])])
    if (dice.chance(0.1)) headers.push(['x-request-id', dice.pick(['abc', 'a b', '\u00e9', 'x'.repeat(300)])])
    if (dice.chance(0.1)) headers.push(['x-request-timeout', dice.pick(['5', '0.5', '1e9'])])
    if (dice.chance(0.15)) return { draft: { method: dice.chance(0.8) ? 'GET' : 'HEAD', path: dice.pick(READS), query: '', headers, body: undefined }, json: undefined }
    if (dice.chance(0.2)) return ofSession(headers)
    const model = dice.pick(MODELS)
    const [operation, json] = dice.chance(0.5) ? ['step', stepOf(model)] as const : ['sequence', sequenceOf(model)] as const
    const binary = dice.chance(0.4) ? asSafetensors(json) : undefined
    headers.push(['content-type', binary === undefined ? 'application/json' : 'application/vnd.safetensors'])
    const body = binary?.body ?? Buffer.from(JSON.stringify(json))
    return { draft: { method: 'POST', path: `${model.path}/${operation}`, query: binary?.query ?? '', headers, body }, json: binary === undefined ? json : undefined }
  }

  function ofSession (headers: Array<[string, string]>): { draft: Draft, json: Record<string, Json> | undefined } {
    const id = dice.chance(0.95) ? dice.pick(sessions) : dice.pick(['nobody', '%20', 'a'.repeat(22)])
    if (dice.chance(0.15)) {
      const [method, path] = dice.pick([['GET', `/sessions/${id}`], ['GET', '/models/custom-lstm/sessions'], ...(dice.chance(0.02) ? [['DELETE', `/sessions/${id}`]] : [])])
      return { draft: { method, path, query: '', headers, body: undefined }, json: undefined }
    }
    const [T, t] = [some(), dice.chance(0.2) ? { t: dice.below(50) } : {}]
    const [path, json] = dice.pick<() => [string, Record<string, Json>]>([
      () => ['/models/custom-lstm/sessions', { ...(dice.chance(0.3) && { h_in: tensor(6) }), ...(dice.chance(0.3) && { c_in: tensor(3) }), ...(dice.chance(0.2) && { idle_timeout: 1 + dice.below(100) }) }],
      () => ['/models/matching-networks/sessions', { context: { support: tensor(some(), 4) } }],
      () => [`/sessions/${id}/step`, { x: tensor(2), ...t }],
      () => [`/sessions/${id}/sequence`, { x: tensor(T, 2), ...t, ...(dice.chance(0.2) && { return_sequences: false }) }],
      () => [`/sessions/${id}/sequence`, { x: tensor(1, 2), steps: T, ...t }]
    ])()
    const { t: at, ...fields } = json
    const binary = path.startsWith('/sessions/') && dice.chance(0.3) ? asSafetensors(fields) : undefined
    headers.push(['content-type', binary === undefined ? 'application/json' : 'application/vnd.safetensors'])
    // A session takes its other options from a JSON body alone.
    if (binary !== undefined) return { draft: { method: 'POST', path, query: at === undefined ? '' : `?t=${String(at)}`, headers, body: binary.body }, json: undefined }
    return { draft: { method: 'POST', path, query: '', headers, body: Buffer.from(JSON.stringify(json)) }, json }
  }

  const ODD: readonly Json[] = [
    null, true, '', 'x', '__proto__', 0, -1, 1.5, 1e39, -1e308, 2 ** 53, [], [[]], [[[]]], [[[[1]]]], [1, [2]], [[1], [2, 3]], [null], ['1'], {}, { x: [1] },
    [[1, 2, 3, 4, 5]], 'y'.repeat(5000), Array.from({ length: 50 }, () => 1)
  ]

  /** Replaces, adds or removes a part of it. */
  function spoil (value: Json): Json {
    if (Array.isArray(value) && value.length > 0 && dice.chance(0.7)) {
      const at = dice.below(value.length)
      return dice.chance(0.15) ? value.filter((_, i) => i !== at) : value.map((item, i) => i === at ? spoil(item) : item)
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value) && dice.chance(0.85)) {
      const names = Object.keys(value)
      if (dice.chance(0.25)) return { ...value, [dice.pick(['y', 'steps', 'lengths', 'context', 'return', 't', 'ids', 'state', '', '/~', 'constructor', 'n'.repeat(2000)])]: dice.pick(ODD) }
      const name = dice.pick(names)
      if (dice.chance(0.2)) return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name))
      return { ...value, [name]: spoil(value[name]) }
    }
    return dice.pick(ODD)
  }

  function spoilBytes (body: Buffer): Buffer {
    const at = dice.below(body.length)
    switch (dice.below(4)) {
      case 0: return body.subarray(0, at)
      case 1: return Buffer.concat([body.subarray(0, at), Buffer.from(dice.pick(['[', ']', '{', ',', '"', '\\', '\0', '\u00ff', '9'.repeat(400), '{"a":'.repeat(200)])), body.subarray(at)])
      case 2: return Buffer.concat([body, body])
      default: {
        const copy = Buffer.from(body)
        copy[at] ^= 1 << dice.below(8)
        return copy
      }
    }
  }

  const setHeader = (draft: Draft, name: string, value: string): void => {
    draft.headers = [...draft.headers.filter(([given]) => given !== name), [name, value]]
  }

  const CHANGES: ReadonlyArray<(draft: Draft, json: Record<string, Json> | undefined) => void> = [
    (draft, json) => { if (json !== undefined) draft.body = Buffer.from(JSON.stringify(spoil(json))) },
    (draft, json) => { if (json !== undefined) draft.body = Buffer.from(JSON.stringify(spoil(spoil(json)))) },
    (draft) => { if (draft.body !== undefined) draft.body = spoilBytes(draft.body) },
    (draft) => { draft.method = dice.pick(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'POST', 'HEAD']) },
    (draft) => { draft.path = dice.pick(['/', '/step/', '/stepp', '//step', '/models/', '/models/nobody/step', '/models/%00/step', '/models/%zz/step', `/models/${'n'.repeat(400)}/step`, '/models/../step', '/%2e%2e/step', '/models/__proto__', '/docs/../../etc/passwd']) },
    (draft) => { draft.query = dice.pick(['?', '?steps=2', '?steps=-1', '?steps=1e9', '?return_sequences=none', '?return_sequences=true&return=all', '?weights=true', '?weights=maybe', '?__proto__=1', '?x=[1,2]', `?${'q'.repeat(3000)}`, '?steps=%zz']) },
    (draft) => { setHeader(draft, 'content-type', dice.pick(['text/plain', 'application/json; charset=latin1', 'application/vnd.safetensors', 'application/json', 'multipart/form-data', '', 'application/x-ndjson', 'a/b;c=d'])) },
    (draft) => { setHeader(draft, dice.pick(['x-request-timeout', 'accept', 'traceparent', 'content-encoding', 'expect', 'x-forwarded-for', 'if-none-match', 'range', 'upgrade']), dice.pick(['', '0', '-1', 'NaN', 'gzip', '100-continue', 'z'.repeat(3000), '\u00e9', '*/*;q=2'])) }
  ]

  return {
    next (): Sent {
      const { draft, json } = good()
      const spoilt = dice.chance(0.6)
      if (spoilt) for (let changes = 1 + dice.below(2); changes > 0; changes--) dice.pick(CHANGES)(draft, json)
      const { method, path, query, headers, body } = draft
      const length = body === undefined ? [] : [`content-length: ${body.length}`]
      const head = [`${method} ${path}${query} HTTP/1.1`, ...headers.map(([name, value]) => `${name}: ${value}`), ...length, '', ''].join('\r\n')
      return { method, path, good: !spoilt, bytes: Buffer.concat([Buffer.from(head, 'latin1'), body ?? Buffer.alloc(0)]) }
    }
  }
}

function shapeOf (value: Json): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : []
}
