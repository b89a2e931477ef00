import { deflateSync, gzipSync } from 'node:zlib'
import type { Dice } from '../support/dice.ts'
import { floats, i32, i64 } from '../support/inference.ts'
import type { Written } from '../support/safetensors.ts'

/** The bytes of an inference request. */
export interface SentInference {
  readonly bytes: Buffer
  /** Whether it follows the protocol, for a model that exists. */
  readonly good: boolean
}

interface DemoModel {
  readonly name: string
  readonly I: number
  readonly Hi: number
  readonly Ho: number
  readonly support?: number
}

const MODELS: readonly DemoModel[] = [
  { name: 'custom-lstm', I: 2, Hi: 6, Ho: 3 },
  { name: 'symmetric', I: 2, Hi: 4, Ho: 4 },
  { name: 'matching-networks', I: 4, Hi: 8, Ho: 4, support: 4 }
]

const DATATYPES: Readonly<Record<string, string>> = { F32: 'FP32', F16: 'FP16', BF16: 'BF16', F64: 'FP64', I32: 'INT32', I64: 'INT64' }

interface Input {
  name: unknown
  shape: unknown
  datatype: unknown
  parameters?: Record<string, unknown>
  data?: unknown
}

interface Draft {
  path: string
  headers: Map<string, string>
  head: { inputs: Input[], parameters: Record<string, unknown>, outputs?: unknown, id?: unknown }
  tensors: Buffer
  /** In the place of members of the head. */
  instead: Record<string, unknown>
}

/** Makes inference requests of all kinds: some follow the protocol, some lie. */
export function createInferences (dice: Dice) {
  const some = (): number => 1 + dice.below(dice.chance(0.9) ? 4 : 40)
  const values = (count: number): number[] => Array.from({ length: count }, () => (dice.below(33) - 16) / 8)
  const tensor = (...shape: number[]): Written => floats(dice.pick(['FP32', 'FP32', 'FP16', 'BF16', 'FP64']), shape, values(shape.reduce((a, b) => a * b)))
  const ID = (): unknown => dice.pick([1, 2, 3, '1', 'a', 2 ** 53])

  function good (): Draft {
    const { name, I, Hi, Ho, support } = dice.pick(MODELS)
    const kept = dice.chance(0.4)
    const B = kept ? 1 : some()
    const [T, isStep] = [some(), support === undefined || kept ? dice.chance(0.5) : false]
    const starts = kept && dice.chance(0.5)
    const begins = !kept || starts
    const inputs: Record<string, Written> = {
      x: isStep ? tensor(B, I) : tensor(B, T, I),
      ...(begins && dice.chance(0.3) && { h_in: tensor(B, Hi) }),
      ...(begins && dice.chance(0.3) && { c_in: tensor(B, Ho) }),
      ...(!kept && !isStep && dice.chance(0.3) && { lengths: dice.pick([i32, i64])([B], Array.from({ length: B }, () => 1 + dice.below(T))) }),
      ...(begins && support !== undefined && { support: tensor(some(), support) })
    }
    const names = isStep && !kept ? ['h_out', 'c_out'] : kept ? ['output'] : ['output', 'h_out', 'c_out', 'h_next']
    const outputs = dice.chance(0.4) ? names.filter(() => dice.chance(0.7)).map((name) => ({ name, ...(dice.chance(0.5) && { parameters: { binary_data: dice.chance(0.5) } }) })) : undefined
    const binary = dice.chance(0.6)
    return {
      path: `/v2/models/${name}${dice.chance(0.2) ? '/versions/1' : ''}/infer`,
      headers: new Map(),
      head: {
        ...(dice.chance(0.3) && { id: dice.pick(['', 'abc', '\u00e9']) }),
        inputs: Object.entries(inputs).map(([name, { dtype, shape, bytes }]) => binary
          ? { name, shape, datatype: DATATYPES[dtype], parameters: { binary_data_size: bytes.byteLength } }
          : { name, shape, datatype: DATATYPES[dtype], data: name === 'lengths' ? Array.from({ length: B }, () => 1) : values(shape.reduce((a, b) => a * b)) }),
        parameters: {
          ...(kept && { sequence_id: ID(), sequence_start: starts, sequence_end: dice.chance(0.2) }),
          ...(dice.chance(0.5) && { binary_data_output: dice.chance(0.5) }),
          ...(!isStep && dice.chance(0.2) && { return_sequences: dice.chance(0.5) })
        },
        ...(outputs !== undefined && { outputs })
      },
      tensors: binary ? Buffer.concat(Object.values(inputs).map(({ bytes }) => bytes)) : Buffer.alloc(0),
      instead: {}
    }
  }

  const ODD: readonly unknown[] = [null, true, '', 'x', '__proto__', 0, -1, 1.5, 1e39, 2 ** 53, [], [[1]], [1, [2]], {}, [null], ['1'], 'y'.repeat(2000), Array.from({ length: 50 }, () => 1)]

  const CHANGES: ReadonlyArray<(draft: Draft) => void> = [
    ({ head: { inputs } }) => { Object.assign(dice.pick(inputs), { [dice.pick(['name', 'shape', 'datatype', 'parameters', 'data', 'extra'])]: dice.pick(ODD) }) },
    ({ head: { inputs } }) => { dice.pick(inputs).datatype = dice.pick(['FP32', 'FP64', 'INT64', 'BYTES', 'BOOL', 'fp32']) },
    ({ head: { inputs } }) => { dice.pick(inputs).shape = dice.pick([[1], [2, 2], [1, 1, 2], [0], [2 ** 31, 2 ** 31], [-1, 2], [1, 2, 3, 4], []]) },
    ({ head: { inputs } }) => { dice.pick(inputs).parameters = { binary_data_size: dice.pick([0, 1, 8, 2 ** 40, -8, 1.5, '8']) } },
    ({ head: { inputs } }) => { dice.pick(inputs).name = dice.pick(['y', 'h_in', 'ids', 'support', 'context', 'x', '']) },
    ({ head: { inputs } }) => { if (dice.chance(0.5) && inputs.length > 1) inputs.pop(); else inputs.push(inputs[0]) },
    ({ head }) => { head.parameters[dice.pick(['sequence_id', 'sequence_start', 'sequence_end', 'binary_data_output', 'steps', 't', 'timeout', 'priority', 'extra'])] = dice.pick(ODD) },
    ({ head }) => { head.outputs = dice.pick<unknown>([[{ name: 'nothing' }], [{ name: 'output' }, { name: 'output' }], [{ name: 'h_out', parameters: { classification: 2 } }], [{ name: 'parts/read' }], ...ODD]) },
    ({ instead }) => { instead[dice.pick(['id', 'inputs', 'parameters', 'extra', 'model_name', 'constructor'])] = dice.pick(ODD) },
    ({ headers }) => { headers.set('inference-header-content-length', dice.pick(['0', '1', '-1', '99999999999', 'x', '', '100'])) },
    ({ headers }) => { headers.set('content-encoding', dice.pick(['gzip', 'deflate', 'br', ''])) },
    ({ headers }) => { headers.set('x-request-timeout', dice.pick(['0', '0.0001', '-1', 'x'])) },
    (draft) => { draft.path = dice.pick(['/v2', '/v2/models/nobody/infer', '/v2/models/symmetric/versions/9/infer', '/v2/models/symmetric', '/v2/%zz', '/v2/models/%00/infer', `/v2/models/${'n'.repeat(300)}/infer`]) },
    (draft) => { draft.tensors = dice.chance(0.5) ? draft.tensors.subarray(0, dice.below(draft.tensors.length + 1)) : Buffer.concat([draft.tensors, Buffer.alloc(1 + dice.below(9), 255)]) },
    (draft) => { draft.tensors = Buffer.from(draft.tensors).fill(255) }
  ]

  function spoilBytes (body: Buffer): Buffer {
    const at = dice.below(body.length)
    switch (dice.below(3)) {
      case 0: return body.subarray(0, at)
      case 1: return Buffer.concat([body.subarray(0, at), Buffer.from(dice.pick(['[', ']', '{', ',', '"', '\\', '\0', '9'.repeat(400), '[['.repeat(200)])), body.subarray(at)])
      default: {
        const copy = Buffer.from(body)
        copy[at] ^= 1 << dice.below(8)
        return copy
      }
    }
  }

  return {
    next (): SentInference {
      const draft = good()
      const spoilt = dice.chance(0.6)
      if (spoilt) for (let changes = 1 + dice.below(2); changes > 0; changes--) dice.pick(CHANGES)(draft)
      const head = Buffer.from(JSON.stringify({ ...draft.head, ...draft.instead }))
      let body: Buffer = Buffer.concat([head, draft.tensors])
      if (spoilt && dice.chance(0.2)) body = spoilBytes(body)
      const headers = new Map([...(draft.tensors.length > 0 ? [['inference-header-content-length', String(head.length)] as const] : []), ...draft.headers])
      if (dice.chance(0.2)) {
        const [coding, encode] = dice.pick([['gzip', gzipSync], ['deflate', deflateSync]] as const)
        headers.set('content-encoding', coding)
        body = encode(body)
      }
      const lines = [`POST ${draft.path} HTTP/1.1`, 'host: localhost', `content-length: ${body.length}`, ...[...headers].map(([name, value]) => `${name}: ${value}`), '', '']
      return { good: !spoilt, bytes: Buffer.concat([Buffer.from(lines.join('\r\n')), body]) }
    }
  }
}
