import createFetchClient, { type Client, type ClientOptions } from 'openapi-fetch'
import type { paths } from './openapi.ts'

export type {
  Context, FieldError, Model, ModelList, Problem, SequenceAnswer, SequenceLine, SequenceRequest, Sizes, StepAnswer, StepRequest
} from './openapi.ts'

export interface CellserveOptions extends ClientOptions {
  /** The address of the service, such as `http://127.0.0.1:8080`. */
  readonly baseUrl: string
  /** Sent as `Authorization: Bearer`, if the service requires a key. */
  readonly apiKey?: string
}

type Json = 'application/json' | 'application/problem+json'

export type CellserveClient = Client<paths, Json>

/**
 * A typed client: `await client.POST('/step', { body: { x: [[1, 2]] } })` returns `data` or, if the request fails,
 * `error`, a `Problem`. The client only needs `fetch`, so it runs in browsers too.
 */
export function createClient ({ apiKey, ...options }: CellserveOptions): CellserveClient {
  const client = createFetchClient<paths, Json>(options)
  if (apiKey !== undefined) {
    client.use({ onRequest: ({ request }) => { request.headers.set('authorization', `Bearer ${apiKey}`) } })
  }
  return client
}
