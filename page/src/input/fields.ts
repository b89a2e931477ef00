import { widthOfVectors, wiringOf, type Model } from '../app/model.ts'
import { exampleOf, propertiesOf } from './schema.ts'

/** What a field of the form accepts: vectors, one per line; one vector; ids; a count; any JSON. */
export type Kind = 'vectors' | 'vector' | 'ids' | 'count' | 'json'

/** A field of a request, as the form shows it. */
export interface FieldSpec {
  /** Its path in the request's body: `['x']`, `['context', 'support']`. */
  readonly path: readonly string[]
  readonly label: string
  readonly hint: string
  readonly kind: Kind
  /** The numbers per vector; undefined if only the service knows. */
  readonly width?: number
  readonly required: boolean
  /** Whether it has a row axis in a request. The page runs one row. */
  readonly batched: boolean
  /** The field's initial content. */
  readonly example?: Example
}

/** Random ids, a random sequence or set of vectors, or a text. */
export type Example = { readonly random: 'ids', readonly vocabulary: number } | { readonly random: 'sequence' | 'set', readonly count: number } | { readonly text: string }

const STEPS = 48
const SUPPORTS = 12

/** The fields of a model's sequence request. */
export function fieldsOf (model: Model): FieldSpec[] {
  return [...inputOf(model), ...contextOf(model), ...startOf(model)]
}

/** Whether most requests leave a field out. */
export function isExtra ({ path: [name], required }: FieldSpec): boolean {
  return !required && ['steps', 'h_0', 'h_in', 'c_in'].includes(name)
}

function inputOf ({ input, widths: { sequence_x: width } }: Model): FieldSpec[] {
  if (input?.vocabulary !== undefined) {
    const { vocabulary } = input
    return [
      { path: ['ids'], label: 'ids', hint: `one per step, from 0 to ${vocabulary - 1}`, kind: 'ids', required: true, batched: true, example: { random: 'ids', vocabulary } },
      steps('how many times to feed a single id; empty for a sequence')
    ]
  }
  if (width === 0) return [{ ...steps('how many steps to take'), required: true, example: { text: String(STEPS) } }]
  return [
    { path: ['x'], label: 'x', hint: `one step per line, ${plural(width, 'number')} each`, kind: 'vectors', width, required: true, batched: true, example: { random: 'sequence', count: STEPS } },
    steps('how many times to feed a single vector; empty for a sequence')
  ]
}

function steps (hint: string): FieldSpec {
  return { path: ['steps'], label: 'steps', hint, kind: 'count', required: false, batched: false }
}

function contextOf (model: Model): FieldSpec[] {
  const properties = propertiesOf(model.feedback.context)
  const any = { label: 'context', hint: 'JSON for the model’s own feedback', kind: 'json', required: false, batched: false } as const
  if (properties === undefined) return model.feedback.context === undefined ? [] : [{ path: ['context'], ...any }]
  return properties.flatMap((property): FieldSpec[] => {
    const { name, required } = property
    const path = ['context', name]
    // A single row reads all support vectors.
    if (name === 'support_lengths') return []
    const read = wiringOf(model)?.read
    if (name === 'support' && read !== undefined) {
      return [{ path, label: 'support', hint: `what the network attends to: one vector per line, ${plural(read.support, 'number')} each`, kind: 'vectors', width: read.support, required, batched: false, example: { random: 'set', count: SUPPORTS } }]
    }
    const width = widthOfVectors(model)
    if (name === 'vectors' && width !== undefined) {
      return [{ path, label: 'vectors', hint: `${plural(width, 'number')}: one line for all steps, or one line per step`, kind: 'vectors', width, required, batched: true, example: { random: 'set', count: 1 } }]
    }
    return [{ path, label: name, hint: property.description === '' ? 'JSON' : `JSON: ${property.description}`, kind: 'json', required, batched: false, ...(required && { example: { text: JSON.stringify(exampleOf(property.schema)) } }) }]
  })
}

function startOf ({ widths: { h_in: hIn, h_out: hOut, c }, cell }: Model): FieldSpec[] {
  const vector = (name: string, width: number, hint: string): FieldSpec => ({ path: [name], label: name, hint: `${hint}: ${plural(width, 'number')}; zeros if empty`, kind: 'vector', width, required: false, batched: true })
  return [
    vector('h_0', hOut, 'the h that the first feedback reads'),
    vector('h_in', hIn, 'what the first step reads as its h, instead of the feedback'),
    ...(c > 0 && cell.kind === 'lstm' ? [vector('c_in', c, 'the first cell state')] : [])
  ]
}

function plural (count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}
