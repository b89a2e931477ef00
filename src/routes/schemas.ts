import Type, { type TSchema } from 'typebox'
import { problem } from '../plugins/errors.ts'
import { SAFETENSORS } from '../wire/safetensors.ts'
import { JSON_TYPE } from '../wire/json.ts'

/** RFC 9457 problem details, as the errors plugin answers them. */
export const Problem = Type.Object({
  type: Type.String({ format: 'uri-reference' }),
  title: Type.String({ description: 'The status in words.' }),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ description: 'What is wrong: what was expected and what came.' }),
  model: Type.Optional(Type.String({ description: 'The model that refuses.' })),
  errors: Type.Optional(Type.Array(Type.Object({
    path: Type.String({ format: 'json-pointer', description: 'JSON pointer into the request body.' }),
    message: Type.String()
  }, { title: 'FieldError', description: 'What is wrong with one field.' }), { description: 'Each thing that is wrong.' }))
}, { title: 'Problem', description: 'RFC 9457 problem details.' })

const DESCRIPTIONS = {
  400: 'Neither JSON nor safetensors, or not of the schema.',
  401: 'The service asks for an API key, and this is none of its keys.',
  404: 'No such model.',
  413: 'The body is too large.',
  415: 'The body is neither application/json nor application/vnd.safetensors.',
  422: 'Well-formed, but wrong for this model or in itself.',
  429: 'More requests in a second than a client may send; try again after the seconds in Retry-After.',
  500: 'The model\'s own feedback module failed.',
  503: 'Overloaded or draining; try again after the seconds in Retry-After.',
  504: 'Not answered in the time allowed.'
} as const

/** What such a problem says. */
const EXAMPLES: Readonly<Record<keyof typeof DESCRIPTIONS, object>> = {
  400: { ...problem(400, '/h_on: is not a known field'), errors: [{ path: '/h_on', message: 'is not a known field' }] },
  401: problem(401, 'expected an API key, as Authorization: Bearer KEY or as X-API-Key: KEY'),
  404: problem(404, 'there is no model "nobody"; the models are custom-lstm, matching-networks'),
  413: problem(413, 'the body is larger than the 16777216 bytes allowed'),
  415: problem(415, 'expected application/json or application/vnd.safetensors, got text/plain'),
  422: {
    ...problem(422, 'model custom-lstm: /h_in: expected vectors of 6 numbers (Hi), got 5'),
    model: 'custom-lstm',
    errors: [{ path: '/h_in', message: 'expected vectors of 6 numbers (Hi), got 5' }]
  },
  429: problem(429, 'more than 100 requests in a second'),
  500: { ...problem(500, 'model custom-lstm: the model\'s feedback.mjs threw an error, for step 2'), model: 'custom-lstm' },
  503: problem(503, 'overloaded: 4096 rows of 1048576 bytes are in work; try again shortly'),
  504: { ...problem(504, 'model custom-lstm: the answer was not ready in the time allowed'), model: 'custom-lstm' }
}

/** The problems that an operation may answer, by status. */
export function problems<S extends keyof typeof DESCRIPTIONS> (...statuses: readonly S[]): Record<S, TSchema>
export function problems (...statuses: ReadonlyArray<keyof typeof DESCRIPTIONS>): object {
  return Object.fromEntries(statuses.map((status) => [status, {
    description: DESCRIPTIONS[status],
    content: { 'application/problem+json': { schema: Problem, example: EXAMPLES[status] } }
  }]))
}

/** The forms of a body that brings work. */
export const BODIES = [JSON_TYPE, SAFETENSORS]

/** The answer of an operation that computes, in the forms that it has. */
export function answers (schema: TSchema, description: string, more: Readonly<Record<string, { schema: TSchema }>> = {}): { description: string, content: Record<string, { schema: TSchema }> } {
  return { description, content: { [JSON_TYPE]: { schema }, [SAFETENSORS]: { schema }, ...more } }
}

/** The path of an operation that names its model. */
export const ModelParams = Type.Object({
  model: Type.String({ description: 'The model\'s name, as in GET /models.' })
})

/** The headers of an operation that brings work; the callers plugin reads them. */
export const WorkHeaders = Type.Object({
  'x-request-timeout': Type.Optional(Type.Unknown({
    documented: { type: 'number', exclusiveMinimum: 0 },
    description: 'Seconds in which the request must be answered, if that is less than the server allows; past them the answer is a 504.'
  }))
})
