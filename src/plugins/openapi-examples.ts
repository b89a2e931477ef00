import type { Embedding } from '../model/input.ts'
import type { Model } from '../model/model.ts'
import type { Registry } from '../model/registry.ts'
import { tensorFields } from '../tensor/schema.ts'

/** The parts of an OpenAPI document that can have examples. */
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
  /** Left out if the answer's schema is enough. */
  readonly answer?: object
}

/**
 * Adds examples to a document. They run against the served models: the default model, or else the first one.
 *
 * @param document changed in place.
 */
export function addExamples (document: Document, registry: Registry): Document {
  const model: Model | undefined = registry.find() ?? registry.models[0]
  const { paths = {} } = document
  if (model === undefined) return document
  for (const operation of Object.values(paths).flatMap((item) => [item?.get, item?.post])) {
    for (const parameter of operation?.parameters ?? []) if (parameter.name === 'model') parameter.example = model.name
  }
  for (const [path, examples] of examplesOf(model)) {
    // Without a default model, the first of these two paths has no answer.
    if (registry.defaultName !== undefined) giveExamples(paths[path]?.post, examples)
    giveExamples(paths[`/models/{model}${path}`]?.post, examples)
  }
  giveSessionExamples(document, model)
  return document
}

/**
 * Adds a model's examples to its own document.
 *
 * @param document changed in place.
 */
export function addModelExamples (document: Document, model: Model): Document {
  for (const [path, examples] of examplesOf(model)) giveExamples(document.paths?.[`/models/${encodeURIComponent(model.name)}${path}`]?.post, examples)
  giveSessionExamples(document, model)
  return document
}

/** Adds examples for the steps of a session that has just begun. */
function giveSessionExamples ({ paths = {} }: Document, model: Model): void {
  const { shape: { sequence: { width, embedding, y }, output } } = model
  if (sessionExamples(model).requests.length === 0) return
  const answer = (t: number): object => ({ output: numbers(output, t), ...(y > 0 && { y: numbers(y, t) }) })
  const several = { t: 2, output: [numbers(output), numbers(output, 1)], ...(y > 0 && { y: [numbers(y), numbers(y, 1)] }) }
  if (width === 0) {
    giveExamples(paths['/sessions/{session}/sequence']?.post, { requests: [{ summary: 'Two steps', value: { steps: 2 } }], answer: several })
    return
  }
  const [field, step] = embedding === undefined ? ['x', (t: number): unknown => numbers(width, t)] as const : ['ids', (t: number): unknown => idOf(embedding, t)] as const
  giveExamples(paths['/sessions/{session}/step']?.post, { requests: [{ summary: 'A step', value: { [field]: step(0) } }], answer: { t: 1, ...answer(1) } })
  giveExamples(paths['/sessions/{session}/sequence']?.post, { requests: [{ summary: 'Two steps', value: { [field]: [step(1), step(2)] } }], answer: several })
}

function examplesOf (model: Model): Array<[path: string, Examples]> {
  return [['/step', stepExamples(model)], ['/sequence', sequenceExamples(model)], ['/sessions', sessionExamples(model)]]
}

function giveExamples (operation: Operation | undefined, { requests, answer }: Examples): void {
  const body = operation?.requestBody?.content?.['application/json']
  const answered = operation?.responses?.[200]?.content?.['application/json']
  if (body !== undefined && requests.length > 0) body.examples = Object.fromEntries(requests.map((example, i) => [`example${i + 1}`, example]))
  if (answered !== undefined && answer !== undefined) answered.example = answer
}

/** No requests for a model with two directions, which cannot take a single step. */
function stepExamples ({ shape: { step, hIn, hOut, c, directions } }: Model): Examples {
  const rows = (B: number, of: (row: number) => object): object => merge(Array.from({ length: B }, (_, row) => of(row)))
  const x = (row: number): object => step.embedding !== undefined ? { ids: idOf(step.embedding, row) } : step.width === 0 ? {} : { x: numbers(step.width, row) }
  const carry = (name: string, row: number): object => c === 0 ? {} : { [name]: numbers(c, row) }
  return {
    requests: directions === 2
      ? []
      : [
          { summary: 'One row', value: rows(1, (row) => ({ ...x(row), ...(step.width === 0 && { h_in: numbers(hIn, row) }) })) },
          { summary: 'Two rows that continue from the previous step', value: rows(2, (row) => ({ ...x(row), h_in: numbers(hIn, row), ...carry('c_in', row) })) }
        ],
    answer: rows(1, () => ({ h_out: numbers(hOut), ...carry('c_out', 1), ...(step.y > 0 && { y: numbers(step.y, 2) }) }))
  }
}

/** Merges rows into one object, with each field a list of the rows' values. */
function merge (rows: readonly object[]): object {
  return Object.fromEntries(Object.keys(rows[0]).map((name) => [name, rows.map((row) => Reflect.get(row, name))]))
}

function sequenceExamples (model: Model): Examples {
  const { shape: { sequence, hIn, hOut, c, output }, policy: { policy: { wiring } } } = model
  const { width, embedding, y } = sequence
  const knows = wiring !== undefined
  const step = (t: number): unknown => embedding === undefined ? numbers(width, t) : idOf(embedding, t)
  const field = embedding === undefined ? 'x' : 'ids'
  const steps = [step(0), step(1), step(2)]
  const answer = (T: number): object => ({
    output: [steps.slice(0, T).map((_, t) => numbers(output, t))],
    ...(y > 0 && { y: [steps.slice(0, T).map((_, t) => numbers(y, t))] }),
    h_out: [numbers(hOut, T - 1)],
    ...(c > 0 && { c_out: [numbers(c, T)] })
  })
  if (!knows) {
    return { requests: [{ summary: 'One step: only the client knows what feeds the next', value: { ...(width > 0 ? { [field]: [[step(0)]] } : { steps: 1 }), h_in: [numbers(hIn)] } }], answer: answer(1) }
  }
  const requests = width === 0
    ? [{ summary: 'Three steps', value: { steps: 3 }, lengths: [3] }]
    : [
        { summary: 'One row of three steps', value: { [field]: [steps] }, lengths: [3] },
        { summary: 'Two rows, of three steps and one step', value: { [field]: [steps, [step(3)]] }, lengths: [3, 1] },
        { summary: `The same ${field} three times, with only the last output`, value: { [field]: [[step(0)]], steps: 3, return_sequences: false }, lengths: [3] }
      ]
  return {
    requests: requests.flatMap(({ summary, value, lengths }) => {
      const context = exampleContext(model, lengths)
      return context === undefined ? [] : [{ summary, value: { ...value, ...context } }]
    }),
    answer: answer(3)
  }
}

/** No requests if a session cannot continue by itself. A session has no batch dimension. */
function sessionExamples (model: Model): Examples {
  const { shape: { directions }, policy: { policy: { vectors = 0, wiring } } } = model
  const asked = exampleContext(model, [1])
  if (directions === 2 || wiring === undefined || asked === undefined) return { requests: [] }
  const context = { ...asked.context, ...(wiring.read !== undefined && { support: [numbers(wiring.read.support), numbers(wiring.read.support, 1)] }), ...(vectors > 0 && { vectors: numbers(vectors) }) }
  return { requests: [{ summary: 'A new row', value: Object.keys(context).length > 0 ? { context } : {} }] }
}

/**
 * The part of a request that the model's wiring requires; undefined if only the operator's own module knows what that is.
 *
 * @param lengths how many steps each row takes.
 */
function exampleContext ({ policy: { policy: { context: schema, wiring, vectors = 0 } } }: Model, lengths: readonly number[]): { context?: object } | undefined {
  const { required = [], examples: [own] = [] }: { required?: readonly string[], examples?: readonly object[] } = schema
  if (own !== undefined) return { context: own }
  if (required.length === 0) return {}
  const D = wiring?.read?.support ?? 0
  const tensors = new Set(tensorFields(schema))
  const known: Readonly<Record<string, unknown>> = {
    support: lengths.map(() => [numbers(D), numbers(D, 1)]),
    vectors: lengths.map((length) => Array.from({ length }, (_, t) => numbers(vectors, t)))
  }
  if (!required.every((name) => tensors.has(name) && name in known)) return undefined
  return { context: Object.fromEntries(required.map((name) => [name, known[name]])) }
}

/** An id in the vocabulary. */
function idOf ({ vocabulary }: Embedding, from: number): number {
  return (from * 2 + 1) % vocabulary
}

/** A few small numbers, all from one sequence. */
function numbers (size: number, from = 0): number[] {
  return Array.from({ length: size }, (_, i) => NUMBERS[(from * 2 + i) % NUMBERS.length])
}
const NUMBERS = [0.5, -0.25, 0.1, 0.2, -0.3, 0.4, -0.15]
