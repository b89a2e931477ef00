import Type, { type TSchema, type TUnsafe } from '../tensor/typebox.ts'
import { problem } from '../plugins/problem.ts'
import { VERSION_HEADER } from '../plugins/served-model.ts'
import { SAFETENSORS } from '../wire/safetensors.ts'
import type { Ids } from '../model/request.ts'
import { IntegersSchema, TensorSchema } from '../tensor/schema.ts'
import { JSON_TYPE } from '../wire/json.ts'
import { AnyContext } from '../model/policies/contexts.ts'

/** RFC 9457 problem details, as the errors plugin sends them. */
export const Problem = Type.Object({
  type: Type.String({ format: 'uri-reference' }),
  title: Type.String({ description: 'The status in words.' }),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ description: 'What is wrong: what was expected and what was found.' }),
  model: Type.Optional(Type.String({ description: 'The model that the error is about.' })),
  errors: Type.Optional(Type.Array(Type.Object({
    path: Type.String({ format: 'json-pointer', description: 'JSON pointer into the request body.' }),
    message: Type.String()
  }, { title: 'FieldError', description: 'What is wrong with one field.' }), { description: 'One entry per error.' }))
}, { title: 'Problem', description: 'RFC 9457 problem details.' })

const DESCRIPTIONS = {
  400: 'The body is neither JSON nor safetensors, or does not fit the schema.',
  401: 'The service requires an API key, and the request has none or a wrong one.',
  403: 'Pages from this origin may not call the service.',
  404: 'No such model or session.',
  409: 'The state belongs to another model or to another version of the model, or the session is not at the step that the request expects.',
  410: 'The session has ended; the detail says why.',
  413: 'The body is too large.',
  415: 'The body is neither application/json nor application/vnd.safetensors.',
  422: 'The body is well-formed, but wrong for this model or inconsistent.',
  426: 'The path is for a WebSocket, and the request does not upgrade to one.',
  429: 'The client has sent more requests per second than it may; try again after the number of seconds in Retry-After.',
  500: 'The model\'s own feedback module failed.',
  503: 'The service is overloaded or draining; try again after the number of seconds in Retry-After.',
  504: 'The answer was not ready within the time allowed.'
} as const

/** An example of each problem. */
const EXAMPLES: Readonly<Record<keyof typeof DESCRIPTIONS, object>> = {
  400: { ...problem(400, '/h_on: is not a known field'), errors: [{ path: '/h_on', message: 'is not a known field' }] },
  401: problem(401, 'expected an API key, as Authorization: Bearer KEY or as X-API-Key: KEY'),
  403: problem(403, 'pages of "https://app.example.org" may not open a WebSocket here; pages of other origins may if --cors-origin names them'),
  404: problem(404, 'there is no model "nobody"; the models are attention-decoder, bidirectional-lstm, custom-lstm, gru, matching-networks, symmetric'),
  409: {
    ...problem(409, 'model custom-lstm: /state/0: belongs to symmetric, version 55e2c1f5f8d3a9b0; this is custom-lstm, version 9d1f0c6c2a7b4e38'),
    model: 'custom-lstm',
    errors: [{ path: '/state/0', message: 'belongs to symmetric, version 55e2c1f5f8d3a9b0; this is custom-lstm, version 9d1f0c6c2a7b4e38' }]
  },
  410: problem(410, 'the session has ended: expired'),
  413: problem(413, 'the body is larger than the 16777216 bytes allowed'),
  415: problem(415, 'expected application/json or application/vnd.safetensors, got text/plain'),
  422: {
    ...problem(422, 'model custom-lstm: /h_in: expected vectors of 6 numbers (Hi), got 5'),
    model: 'custom-lstm',
    errors: [{ path: '/h_in', message: 'expected vectors of 6 numbers (Hi), got 5' }]
  },
  426: problem(426, 'expected a WebSocket: a GET that upgrades to it'),
  429: problem(429, 'more than 100 requests in a second'),
  500: { ...problem(500, 'model custom-lstm: the model\'s feedback.mjs threw an error, for step 2'), model: 'custom-lstm' },
  503: problem(503, 'overloaded: 4096 rows and 1048576 bytes are in progress; try again shortly'),
  504: { ...problem(504, 'model custom-lstm: the answer was not ready in the time allowed'), model: 'custom-lstm' }
}

/** The problems that an operation can answer with, by status. */
export function problems<S extends keyof typeof DESCRIPTIONS> (...statuses: readonly S[]): Record<S, TSchema>
export function problems (...statuses: ReadonlyArray<keyof typeof DESCRIPTIONS>): object {
  return Object.fromEntries(statuses.map((status) => [status, {
    description: DESCRIPTIONS[status],
    content: { 'application/problem+json': { schema: Problem, example: EXAMPLES[status] } }
  }]))
}

/** The media types of request bodies of operations that compute. */
export const BODIES = [JSON_TYPE, SAFETENSORS]

/** The headers of a model's answer. */
export const ModelHeaders = { [VERSION_HEADER]: { type: 'string', description: 'The version of the model that answered, as in GET /models.' } } as const

/** Adds these headers to an answer that is always JSON. */
export function modelAnswer<S extends TSchema> (schema: S): S & { headers: typeof ModelHeaders } {
  return { ...schema, headers: ModelHeaders }
}

/** The answer of an operation that computes, in each of its media types. */
export function answers (schema: TSchema, description: string, more: Readonly<Record<string, { schema: TSchema }>> = {}): { description: string, headers: typeof ModelHeaders, content: Record<string, { schema: TSchema }> } {
  return { description, headers: ModelHeaders, content: { [JSON_TYPE]: { schema }, [SAFETENSORS]: { schema }, ...more } }
}

/** The path parameters of an operation that names its model. */
export const ModelParams = Type.Object({
  model: Type.String({ description: 'The model\'s name, as in GET /models.' })
})

/** The field that replaces x in a model that begins with an embedding. */
export function IdsSchema (rank: 1 | 2, description: string): TUnsafe<Ids> {
  return IntegersSchema<Ids>([0, 1, 2], rank, { description })
}

/** Where a request starts. In a stack, each field has the vectors of all layers and directions, one after the other. */
export const FirstState = {
  h_in: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, {
    description: 'What the cell reads as its h at the first step: [B][Hi]. In a sequence it replaces what the wiring would compute; in a step it is zeros if left out.'
  })),
  c_in: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The first cell state of an LSTM: [B][Ho]. Zeros if left out.' })),
  h_0: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, {
    description: 'The h that the first feedback reads: [B][Ho]. Zeros if left out. A GRU whose Hi differs from its Ho also reads it in a step.'
  }))
}

/** What the model's wiring needs from the request; the wiring's own schema applies once the model is known. */
export const ContextField = Type.Unknown({
  documented: AnyContext
})

/** Where rows continue from. A single string is the token of one row. An empty list, or `true` for short, asks for tokens of rows that begin. */
export const StateField = Type.Unsafe<boolean | string | string[]>({
  type: ['boolean', 'string', 'array'],
  items: { type: 'string' },
  documented: { type: 'array' },
  description: 'Tokens of the rows to continue, from an earlier answer: [B]. An empty list or `true` starts new rows and asks for their tokens.'
})

/** The same as an option of the query string. */
export const StateOption = Type.Boolean({ description: 'For a safetensors body: `true` starts new rows and asks for their tokens.' })

export const TokensField = Type.Unsafe<string | readonly string[]>({
  type: ['string', 'array'],
  items: { type: 'string' },
  documented: { type: 'array' },
  description: 'A token for each row, if the request has `state`: [B]. It contains everything that the row keeps, except the context. Send it as `state` to continue.'
})

/** The state at the end of a request, each row's after its own last step. */
export const LastState = {
  h_out: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The output hidden state: [B][Ho]. In a stack, those of all layers and directions, one after the other.' })),
  c_out: Type.Optional(TensorSchema({ ranks: [1, 2], documented: 2 }, { description: 'The cell state of an LSTM: [B][Ho]. In a stack, those of all layers and directions, one after the other.' }))
}

/** The headers of an operation that computes; the admission plugin reads them. */
export const WorkHeaders = Type.Object({
  'x-request-timeout': Type.Optional(Type.Unknown({
    documented: { type: 'number', exclusiveMinimum: 0 },
    description: 'Seconds within which the request must be answered, if fewer than the server allows; after that, the answer is a 504.'
  }))
})
