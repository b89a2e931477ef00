import createFetchClient, { type Client, type ClientOptions } from 'openapi-fetch'
import type { paths } from './openapi.ts'

export type {
  AttentionContext, ConcatContext, FieldError, Model, ModelList, Problem, SequenceAnswer, SequenceLine, SequenceRequest, Sizes,
  StepAnswer, StepRequest
} from './openapi.ts'

export interface CellserveOptions extends ClientOptions {
  /** Where the service is: `http://127.0.0.1:8080`. */
  readonly baseUrl: string
  /** Sent as `Authorization: Bearer`, to a service that asks for it. */
  readonly apiKey?: string
}

type Json = 'application/json' | 'application/problem+json'

export type CellserveClient = Client<paths, Json>

/**
 * A typed client: `await client.POST('/step', { body: { x: [1, 2] } })` gives `data` or, where the service refuses, `error`,
 * a `Problem`. It needs `fetch` alone, so it runs in browsers too.
 */
export function createClient ({ apiKey, ...options }: CellserveOptions): CellserveClient {
  const client = createFetchClient<paths, Json>(options)
  if (apiKey !== undefined) {
    client.use({ onRequest: ({ request }) => { request.headers.set('authorization', `Bearer ${apiKey}`) } })
  }
  return client
}
