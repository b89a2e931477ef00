import type { Model } from '../model/model.ts'
import type { Registry } from '../model/registry.ts'
import { tensorFields } from '../tensor/schema.ts'

/** What of an OpenAPI document takes examples. */
interface Document {
  readonly paths?: Readonly<Record<string, { readonly get?: Operation, readonly post?: Operation } | undefined>>
}

interface Operation {
  parameters?: Array<{ name?: string, example?: unknown }>
  requestBody?: { content?: Record<string, { examples?: Record<string, Example> } | undefined> }
  responses?: Record<string, { content?: Record<string, { example?: unknown } | undefined> } | undefined>
}

interface Example {
  readonly summary: string
  readonly value: object
}

/** Requests that a model answers with 200, and what such an answer looks like. */
interface Examples {
  readonly requests: readonly Example[]
  readonly answer: object
}

/**
 * Gives a document examples that run against the models that are served: against the default model, or else the first one.
 *
 * @param document is changed.
 */
export function addExamples (document: Document, registry: Registry): Document {
  const model = registry.models.find(({ name }) => name === registry.defaultName) ?? registry.models[0]
  const { paths = {} } = document
  for (const operation of Object.values(paths).flatMap((item) => [item?.get, item?.post])) {
    for (const parameter of operation?.parameters ?? []) if (parameter.name === 'model') parameter.example = model.name
  }
  for (const [path, { requests, answer }] of [['/step', stepExamples(model)], ['/sequence', sequenceExamples(model)]] as const) {
    // Without a default model the first of the two has no answer to give.
    for (const operation of [registry.defaultName && paths[path]?.post, paths[`/models/{model}${path}`]?.post]) {
      const body = operation && operation.requestBody?.content?.['application/json']
      const answered = operation && operation.responses?.[200]?.content?.['application/json']
      if (body && requests.length > 0) body.examples = Object.fromEntries(requests.map((example, i) => [`example${i + 1}`, example]))
      if (answered) answered.example = answer
    }
  }
  return document
}

function stepExamples ({ sizes: { I, Hi, Ho } }: Model): Examples {
  return {
    requests: [
      { summary: 'One row', value: { x: [numbers(I)] } },
      { summary: 'Two rows, and what the step before left', value: { x: [numbers(I), numbers(I, 1)], h_in: [numbers(Hi), numbers(Hi, 1)], c_in: [numbers(Ho), numbers(Ho, 1)] } }
    ],
    answer: { h_out: [numbers(Ho)], c_out: [numbers(Ho, 1)] }
  }
}

function sequenceExamples (model: Model): Examples {
  const { sizes: { I, Hi, Ho }, policy } = model
  const steps = [numbers(I), numbers(I, 1), numbers(I, 2)]
  const answer = (T: number): object => ({ output: [steps.slice(0, T).map((_, t) => numbers(Ho, t))], h_out: [numbers(Ho, T - 1)], c_out: [numbers(Ho, T)] })
  if (policy.name === 'none') {
    return { requests: [{ summary: 'One step: only the client knows what feeds the next', value: { x: [[numbers(I)]], h_in: [numbers(Hi)] } }], answer: answer(1) }
  }
  const context = exampleContext(model)
  const requests = [
    { summary: 'One row of three steps', value: { x: [steps] } },
    { summary: 'Two rows, of three steps and of one', value: { x: [steps, [numbers(I, 3)]] } },
    { summary: 'The same x three times, and the last output alone', value: { x: [numbers(I)], steps: 3, return: 'last' } }
  ]
  return {
    requests: context === undefined ? [] : requests.map(({ summary, value }) => ({ summary, value: { ...value, ...context } })),
    answer: answer(3)
  }
}

/** The part of a request that the model's policy asks for; undefined if only the operator's own module knows what that is. */
function exampleContext ({ sizes: { Hi, Ho }, policy: { policy: { context: schema } } }: Model): { context?: object } | undefined {
  const { required = [], examples: [own] = [] }: { required?: readonly string[], examples?: readonly object[] } = schema
  if (own !== undefined) return { context: own }
  if (required.length === 0) return {}
  const tensors = new Set(tensorFields(schema))
  const known: Readonly<Record<string, unknown>> = { support: [numbers(Ho), numbers(Ho, 1)], vectors: numbers(Hi - Ho) }
  if (!required.every((name) => tensors.has(name) && name in known)) return undefined
  return { context: Object.fromEntries(required.map((name) => [name, known[name]])) }
}

/** Some small numbers, of one sequence. */
function numbers (size: number, from = 0): number[] {
  return Array.from({ length: size }, (_, i) => NUMBERS[(from * 2 + i) % NUMBERS.length])
}
const NUMBERS = [0.5, -0.25, 0.1, 0.2, -0.3, 0.4, -0.15]
