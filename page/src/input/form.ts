import { signal, type Signal } from '@preact/signals'
import type { Model } from '../app/model.ts'
import { fieldsOf, type FieldSpec } from './fields.ts'
import { readIds, readJson, readVector, readVectors, TextFault, writeVectors } from './numbers.ts'
import { createRandom, randomIds, randomVectors, randomWalk } from './random.ts'

export interface Field {
  readonly spec: FieldSpec
  readonly text: Signal<string>
  /** What is wrong with it, in words. */
  readonly fault: Signal<string | undefined>
}

/** What a user has entered for a model. */
export interface Form {
  readonly model: Model
  readonly fields: readonly Field[]
  /** The parts that can be answered, and whether they are wanted. */
  readonly parts: ReadonlyArray<{ readonly name: string, readonly wanted: Signal<boolean> }>
  /** What is wrong with the request, if it does not concern a field of the form. */
  readonly fault: Signal<string | undefined>
}

/** What is wrong with a part of a request. */
export interface Fault {
  /** A JSON pointer into the request. */
  readonly path: string
  readonly message: string
}

/** Parts that are not requested by default: gates have up to four numbers per unit, and few users need them. */
const UNASKED = ['gates']

/** Creates a form filled with an example, so that it can be run at once. */
export function createForm (model: Model, seed = 1): Form {
  const fields = fieldsOf(model).map((spec): Field => ({ spec, text: signal(''), fault: signal(undefined) }))
  fields.forEach((field, i) => { if (field.spec.example !== undefined) fillRandom(field, seed + i) })
  const parts = model.parts.map(({ name }) => ({ name, wanted: signal(!UNASKED.includes(name)) }))
  return { model, fields, parts, fault: signal(undefined) }
}

/** Fills a field with an example of its kind. @param count how many vectors or ids, instead of the default */
export function fillRandom ({ spec: { example, width = 1 }, text, fault }: Field, seed: number, count?: number): void {
  const random = createRandom(seed)
  fault.value = undefined
  if (example === undefined) text.value = writeVectors(randomVectors(random, 1, width))
  else if ('text' in example) text.value = example.text
  else if (example.random === 'ids') text.value = randomIds(random, count ?? 48, example.vocabulary).join(', ')
  else text.value = writeVectors((example.random === 'sequence' ? randomWalk : randomVectors)(random, count ?? example.count, width))
}

/** The body of a one-row request to /sequence; undefined if a field cannot be read, which sets its fault. */
export function requestOf (form: Form): Record<string, unknown> | undefined {
  const request: Record<string, unknown> = {}
  form.fault.value = undefined
  let whole = true
  for (const field of form.fields) {
    const { spec: { path, required }, text, fault } = field
    fault.value = undefined
    if (text.value.trim() === '' && !required) continue
    try {
      assign(request, path, valueOf(field))
    } catch (error) {
      if (!(error instanceof TextFault)) throw error
      fault.value = error.message
      whole = false
    }
  }
  // Some field must show that the batch has one row; the default initial state is zero anyway.
  if (!['x', 'ids', 'h_0', 'h_in', 'c_in'].some((name) => name in request)) request.h_0 = [new Array<number>(form.model.widths.h_out).fill(0)]
  const parts = form.parts.filter(({ wanted }) => wanted.value).map(({ name }) => name)
  if (parts.length > 0) request.parts = parts
  return whole ? request : undefined
}

/** @throws TextFault */
function valueOf ({ spec: { kind, path, width, batched }, text: { value: text } }: Field): unknown {
  const name = path[path.length - 1]
  const rows = (value: unknown): unknown => batched ? [value] : value
  switch (kind) {
    case 'ids': return rows(readIds(text))
    case 'vector': return rows(readVector(text, name))
    case 'json': return readJson(text)
    case 'count': {
      const count = Number(text)
      if (!Number.isInteger(count) || count < 1) throw new TextFault('Expected a whole number from 1 on.')
      return count
    }
    case 'vectors': {
      const vectors = readVectors(text, width, name)
      // A single vector in the context applies to all steps.
      return path.length > 1 && batched && vectors.length === 1 ? vectors[0] : rows(vectors)
    }
  }
}

function assign (request: Record<string, unknown>, [name, inner]: readonly string[], value: unknown): void {
  if (inner === undefined) request[name] = value
  else request[name] = { ...Object(request[name]), [inner]: value }
}

/** Fills a form from a request's body, for example from a link. Ignores whatever the form has no field for. */
export function fillFrom ({ fields, parts, fault }: Form, request: object): void {
  fault.value = undefined
  for (const { spec, text, fault: own } of fields) {
    const value = spec.path.reduce((inner: unknown, name) => Object(inner)[name], request)
    own.value = undefined
    text.value = value === undefined ? '' : textOf(spec, value)
  }
  const wanted: unknown = 'parts' in request ? request.parts : undefined
  for (const part of parts) part.wanted.value = Array.isArray(wanted) && wanted.includes(part.name)
}

function textOf ({ kind, batched }: FieldSpec, value: unknown): string {
  if (kind === 'json') return JSON.stringify(value)
  if (kind === 'count') return String(value)
  if (!Array.isArray(value)) return JSON.stringify(value)
  // Drop the row axis.
  const own: unknown = batched && Array.isArray(value[0]) ? value[0] : value
  if (!Array.isArray(own)) return JSON.stringify(value)
  if (!Array.isArray(own[0])) return own.join(', ')
  return own.map((row: unknown) => Array.isArray(row) ? row.join(', ') : String(row)).join('\n')
}

/** Shows the service's faults, each at its field. */
export function showFaults ({ fields, fault }: Form, faults: readonly Fault[]): void {
  const others: string[] = []
  for (const { path, message } of faults) {
    const parts = path.split('/').slice(1)
    const field = fields.find(({ spec }) => spec.path.every((name, i) => parts[i] === name))
    if (field === undefined) others.push(path === '' ? message : `${path}: ${message}`)
    else field.fault.value = `${placeOf(field.spec, parts.slice(field.spec.path.length))}${message}`
  }
  if (others.length > 0) fault.value = others.join('; ')
}

/** Where in a field's text a fault is, in words. */
function placeOf ({ batched, kind, path: [name] }: FieldSpec, indices: readonly string[]): string {
  const [first, second] = batched ? indices.slice(1) : indices
  if (first === undefined || kind === 'json') return indices.length === 0 || kind !== 'json' ? '' : `/${indices.join('/')}: `
  if (kind !== 'vectors') return `Number ${Number(first) + 1}: `
  return `${name === 'x' ? 'Step' : 'Vector'} ${first} (line ${Number(first) + 1})${second === undefined ? '' : `, number ${Number(second) + 1}`}: `
}
