import type { Model } from '../model/model.ts'
import { widthOfX, type Operation } from '../model/network.ts'
import { publish } from '../tensor/schema.ts'

/** A part of a document, which is JSON. */
type Part = Readonly<Record<string, unknown>>

/** The parts of the service's document that are cut to one model. */
interface Document {
  readonly info: object
  readonly paths: Readonly<Record<string, unknown>>
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> }
}

/** The operations of a model, and their ids in the model's own document. */
const OPERATIONS = { '/step': 'step', '/sequence': 'sequence', '': 'getModel', '/openapi.json': 'getModelOpenapi' } as const

/** The paths of its sessions, if it has any. */
const SESSIONS = ['/models/{model}/sessions', '/models/{model}/stream', '/sessions/{session}', '/sessions/{session}/step', '/sessions/{session}/sequence'] as const

/**
 * Builds the document of one model from the service's: only the model's operations, under its name, with its own sizes and
 * context. Fields that the model does not have are left out.
 */
export function cutToModel (document: Document, model: Model): object {
  const name = encodeURIComponent(model.name)
  const paths = Object.entries(OPERATIONS).flatMap(([end, operationId]) => {
    if (end === '/step' && model.shape.directions === 2) return []
    const item = asPart(document.paths[`/models/{model}${end}`])
    return [[`/models/${name}${end}`, mapValues(item, (operation) => ownOperation(asPart(operation), operationId))] as const]
  })
  const sessions = !goesOn(model)
    ? []
    : SESSIONS.map((path) => [path.replace('{model}', name), mapValues(asPart(document.paths[path]), (operation) => ownOperation(asPart(operation)))] as const)
  const cut = {
    ...document,
    info: { ...document.info, title: `cellserve: ${model.name}`, description: `The cellserve API for the model ${model.name}, version ${model.version}, with the model's own sizes.` },
    tags: [
      { name: 'cells', description: 'Step the model, or run it over a sequence.' },
      ...(sessions.length > 0 ? [{ name: 'sessions', description: 'Rows of the model that the service keeps between requests.' }] : []),
      { name: 'models', description: 'The description of the model.' }
    ],
    paths: Object.fromEntries([...paths, ...sessions])
  }
  const schemas = { ...document.components.schemas, ...sizedSchemas(document.components.schemas, model) }
  return { ...cut, components: { ...document.components, schemas: reachable(cut.paths, schemas) } }
}

/** Whether rows of a model can continue from their kept state. */
function goesOn ({ shape: { directions, hIn, hOut }, wiring }: Model): boolean {
  return directions === 1 && (wiring !== undefined || hIn === hOut)
}

/** Removes the parameter that names the model. */
function ownOperation ({ parameters, ...rest }: Part, operationId = rest.operationId): Part {
  const others = Array.isArray(parameters) ? parameters.filter(({ name }: { name?: unknown }) => name !== 'model') : []
  return { ...rest, operationId, ...(others.length > 0 && { parameters: others }) }
}

/** The schemas that depend on the model's sizes. */
function sizedSchemas (schemas: Readonly<Record<string, unknown>>, model: Model): Record<string, Part> {
  const { shape: { step, sequence, Ho, hIn, hOut, c, output }, parts, policy: { policy: { context } } } = model
  const first = { h_in: hIn, c_in: c, h_0: Ho }
  const brought = (operation: Operation) => ({ x: widthOfX(operation), ids: operation.embedding === undefined ? 0 : undefined })
  const field = ({ width, embedding }: Operation): string[] => width === 0 ? [] : [embedding === undefined ? 'x' : 'ids']
  const last = { h_out: hOut, c_out: c }
  /** The schema with that title, with the widths of its tensors. A width of 0 removes a field; an unknown one leaves it unchanged. */
  const sized = (title: string, widths: Readonly<Record<string, number | undefined>>, more: (properties: Part) => Part = () => ({}), required: readonly string[] = []): Part => {
    const schema = asPart(schemas[title])
    const properties = asPart(schema.properties)
    const own = Object.fromEntries(Object.entries({ ...mapEntries(properties, (key, value) => key in widths ? withWidth(value, widths[key]) : value), ...more(properties) })
      .filter(([key, value]) => widths[key] !== 0 && value !== undefined))
    const all = [...new Set([...Array.isArray(schema.required) ? schema.required : [], ...required])]
    return { ...schema, properties: own, ...(all.length > 0 && { required: all }) }
  }
  const partsAnswer = ({ parts: value }: Part): Part => ({
    parts: {
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(parts.map(({ name, width }) => [name, withWidth(asPart(value).additionalProperties, width)]))
    }
  })
  const { required: needed = [] }: { readonly required?: readonly string[] } = context
  const askedParts = ({ parts: value }: Part): Part => ({ parts: { ...asPart(value), items: { type: 'string', enum: parts.map(({ name }) => name) } } })
  const inContext = needed.length > 0 ? ['context'] : []
  const steps = sequence.width > 0 ? field(sequence) : ['steps']
  const ownContext = ({ context }: Part): Part => ({ context: { description: asPart(context).description, ...sizedContext(model) } })
  const sequenceRequest = sized('SequenceRequest', { ...brought(sequence), ...first }, (properties) => ({ ...askedParts(properties), ...ownContext(properties) }), [...steps, ...inContext])
  return {
    SessionRequest: sized('SessionRequest', first, ({ context: given }) => ({ context: { description: asPart(given).description, ...contextOfOneRow(model) } }), inContext),
    SessionStepRequest: sized('SessionStepRequest', brought(sequence), askedParts, field(sequence)),
    SessionStepAnswer: sized('SessionStepAnswer', { output, y: sequence.y }, partsAnswer),
    SessionSequenceRequest: sized('SessionSequenceRequest', brought(sequence), askedParts, steps),
    SessionSequenceAnswer: sized('SessionSequenceAnswer', { output, y: sequence.y }, partsAnswer),
    SessionLine: sized('SessionLine', { output, y: sequence.y }, partsAnswer),
    StepRequest: sized('StepRequest', { ...brought(step), ...first }, ownContext, field(step)),
    StepAnswer: sized('StepAnswer', { ...last, y: step.y }),
    SequenceRequest: sequenceRequest,
    SequenceAnswer: sized('SequenceAnswer', { output, y: sequence.y, ...last, h_next: hIn }, partsAnswer),
    SequenceStep: sized('SequenceStep', { output, y: sequence.y }, partsAnswer),
    SequenceStates: sized('SequenceStates', { ...last, h_next: hIn })
  }
}

/** The schema of the context, with the widths of its vectors. */
function sizedContext ({ policy: { policy: { context, vectors, wiring } } }: Model): Part {
  const { title, ...schema } = asPart(publish(context))
  const widths: Readonly<Record<string, number | undefined>> = { vectors, support: wiring?.read?.support }
  if (schema.properties === undefined) return schema
  return { ...schema, properties: mapEntries(asPart(schema.properties), (key, value) => widths[key] === undefined ? value : withWidth(value, widths[key])) }
}

/** The same without a batch dimension: a session has one vector in `vectors`, and one support set. */
function contextOfOneRow (model: Model): Part {
  const schema = sizedContext(model)
  const ranks: Readonly<Record<string, number>> = { vectors: 1, support: 2 }
  return schema.properties === undefined ? schema : { ...schema, properties: mapEntries(asPart(schema.properties), (key, value) => key in ranks ? ofRank(asPart(value), ranks[key]) : value) }
}

/** A schema of nested arrays, reduced to its `rank` innermost levels. */
function ofRank ({ description, ...array }: Part, rank: number): Part {
  let inner = array
  for (let depth = depthOf(array); depth > rank; depth--) inner = asPart(inner.items)
  return { ...inner, description }
}

function depthOf ({ type, items }: Part): number {
  return type === 'array' ? 1 + depthOf(asPart(items)) : 0
}

/** A schema of nested arrays whose innermost ones have `width` numbers; unchanged if the width is unknown. */
function withWidth (schema: unknown, width: number | undefined): unknown {
  const array = asPart(schema)
  if (width === undefined) return array
  const items = asPart(array.items)
  if (items.type === 'array') return { ...array, items: withWidth(items, width) }
  return { ...array, minItems: width, maxItems: width }
}

const REF = '#/components/schemas/'

/** The schemas that `root` refers to, directly or through other schemas. */
function reachable (root: unknown, schemas: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const found = new Set<string>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, child] of Object.entries(value)) {
      if (key !== '$ref' || typeof child !== 'string') visit(child)
      else if (child.startsWith(REF) && !found.has(child.slice(REF.length))) {
        found.add(child.slice(REF.length))
        visit(schemas[child.slice(REF.length)])
      }
    }
  }
  visit(root)
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => found.has(name)))
}

function asPart (value: unknown): Part {
  return Object(value)
}

function mapEntries (part: Part, map: (key: string, value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(part).map(([key, value]) => [key, map(key, value)]))
}

function mapValues (part: Part, map: (value: unknown) => unknown): Record<string, unknown> {
  return mapEntries(part, (_, value) => map(value))
}
