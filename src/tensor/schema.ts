import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import type { DataValidationCxt, SchemaValidateFunction } from 'ajv/dist/types/index.js'
import Type, { type Static, type TSchema, type TSchemaOptions, type TUnsafe } from './typebox.ts'
import { InputError, pointerPart, type FieldError } from '../errors.ts'
import { findMisplaced } from './integers.ts'
import { describe, findMisfit, type Tensor, type TensorForm } from './tensor.ts'

// What Ajv calls optimizing takes half of its time, and V8 does the same for code that runs often.
const OPTIONS = { verbose: true, allErrors: false, strictTypes: false, useDefaults: true, code: { optimize: false } }

const judgeTensor: SchemaValidateFunction = (form: TensorForm, value: unknown, _schema?: unknown, at?: DataValidationCxt): boolean => {
  const misfit = findMisfit(value, form)
  if (misfit === undefined) return true
  judgeTensor.errors = [{ keyword: 'tensor', instancePath: `${at?.instancePath ?? ''}${misfit.path}`, message: misfit.message, params: misfit }]
  return false
}

const judgeIntegers: SchemaValidateFunction = (ranks: readonly number[], value: unknown, _schema?: unknown, at?: DataValidationCxt): boolean => {
  const misfit = findMisplaced(value, ranks)
  if (misfit === undefined) return true
  judgeIntegers.errors = [{ keyword: 'integers', instancePath: `${at?.instancePath ?? ''}${misfit.path}`, message: misfit.message, params: misfit }]
  return false
}

function addKeywords (ajv: Ajv2020): Ajv2020 {
  // The wire reads the tensors before their schema checks them.
  ajv.addKeyword({ keyword: 'tensor', errors: 'full', validate: judgeTensor })
  ajv.addKeyword({ keyword: 'integers', errors: 'full', validate: judgeIntegers })
  // The published schema of a value that something other than Ajv validates.
  ajv.addKeyword({ keyword: 'documented', schemaType: 'object' })
  return ajv
}

// Our own schemas are typed, so nothing has to check them; the meta-schema takes as long to compile as all of them.
const ajv = addKeywords(new Ajv2020({ ...OPTIONS, meta: false, validateSchema: false }))

/** Generated clients use a float for it: in Java it would otherwise be a BigDecimal. */
const FLOAT32 = { type: 'number', format: 'float' }

/**
 * A tensor of a request or an answer, which the OpenAPI document shows as nested arrays.
 */
export function TensorSchema (form: TensorForm, options: TSchemaOptions): TUnsafe<Tensor> {
  return Type.Unsafe<Tensor>({ tensor: form, documented: nestedArrays(form.documented ?? Math.max(...form.ranks), FLOAT32), ...options })
}

/**
 * Plain integers of a request, of one of these ranks; a single integer has rank 0.
 *
 * @param documented the rank that the OpenAPI document shows; the others are shorthand.
 */
export function IntegersSchema<T> (ranks: readonly number[], documented: number, options: TSchemaOptions): TUnsafe<T> {
  return Type.Unsafe<T>({ integers: ranks, documented: nestedArrays(documented, { type: 'integer' }), ...options })
}

function nestedArrays (rank: number, numbers: object): object {
  return rank === 0 ? numbers : { type: 'array', items: nestedArrays(rank - 1, numbers), minItems: 1 }
}

/** The names of an object schema's properties that are tensors. */
export function tensorFields ({ properties = {} }: { properties?: object }): string[] {
  return Object.entries(properties).filter(([, schema]) => typeof schema === 'object' && schema !== null && 'tensor' in schema).map(([name]) => name)
}

/** The names of the properties that are integers, nested or not. */
export function nestedIntegerFields ({ properties = {} }: { properties?: object }): string[] {
  return Object.entries(properties).filter(([, schema]) => typeof schema === 'object' && schema !== null && 'integers' in schema).map(([name]) => name)
}

/** The names of the properties that are lists of integers. */
export function integerFields ({ properties = {} }: { properties?: object }): string[] {
  return Object.entries(properties).filter(([, { type, items }]: [string, { type?: unknown, items?: { type?: unknown } }]) => type === 'array' && items?.type === 'integer').map(([name]) => name)
}

/** The schema as published: plain JSON Schema, without the keywords above. A string enum gets its type, which typed client generators need. */
export function publish (schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(publish)
  if (typeof schema !== 'object' || schema === null) return schema
  const { tensor, integers, documented, ...rest }: Record<string, unknown> = { ...schema }
  const { enum: values } = rest
  const type = Array.isArray(values) && values.every((value) => typeof value === 'string') ? { type: 'string' } : {}
  return Object.fromEntries(Object.entries({ ...type, ...rest, ...Object(documented) })
    .map(([key, value]) => [key, KEEP.has(key) ? value : publish(value)]))
}
// These are instances, not schemas: an example may have a field named `tensor`.
const KEEP = new Set(['example', 'examples', 'default', 'const', 'enum'])

/** A validated value, or an `InputError` that names what is wrong, with pointers that start at `path`. */
export type Validate<T> = (value: unknown, path: string) => T

/** Compiles one of our own schemas once, for its first value: compiling all of them at startup would take most of the startup time. */
export function compile<S extends TSchema> (schema: S): Validate<Static<S>> {
  let validate: Validate<Static<S>> | undefined
  return (value, path) => (validate ??= refusing(ajv.compile<Static<S>>(schema)))(value, path)
}

/**
 * Compiles a schema that is not ours.
 *
 * @throws Error if the schema itself is invalid.
 */
export function compileGiven (schema: TSchema): Validate<unknown> {
  return refusing(addKeywords(new Ajv2020(OPTIONS)).compile(schema))
}

/** The same for an object whose values are text, such as a query string: `3` is a number there, but `0x3` is not. */
export function compileText<S extends TSchema & { readonly properties?: object }> (schema: S): Validate<Static<S>> {
  const validate = compile(schema)
  const types = new Map(Object.entries(schema.properties ?? {}).map(([name, property]) => [name, Object(property).type]))
  return (value, path) => {
    const texts = Object.entries(Object(value))
    return validate(texts.length === 0 ? value : Object.fromEntries(texts.map(([name, text]) => [name, valueOf(text, types.get(name))])), path)
  }
}

/** The value of this type that a text stands for; the text itself if there is no such value. */
function valueOf (text: unknown, type: unknown): unknown {
  if (typeof text !== 'string') return text
  switch (type) {
    case 'integer':
    case 'number': return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
    case 'boolean': return text === 'true' || text === 'false' ? text === 'true' : text
    default: return text
  }
}

function refusing<T> (validate: ValidateFunction<T>): Validate<T> {
  return (value, path) => {
    if (validate(value)) return value
    const errors = validate.errors ?? []
    const kind = errors.every(({ params }) => params.wellFormed === true) ? 'unprocessable' : 'malformed'
    throw new InputError(kind, errors.map((error) => fieldError(error, path)))
  }
}

function fieldError ({ keyword, instancePath, params, message = 'is invalid', data }: ErrorObject, path: string): FieldError {
  const at = path + instancePath
  const child = (name: string): string => `${at}/${pointerPart(name)}`
  switch (keyword) {
    case 'tensor':
    case 'integers': return { path: at, message }
    case 'required': return { path: child(params.missingProperty), message: 'is required' }
    case 'additionalProperties': return { path: child(params.additionalProperty), message: 'is not a known field' }
    case 'enum': return { path: at, message: `expected one of ${params.allowedValues.join(', ')}, got ${describe(data)}` }
    case 'const': return { path: at, message: `expected ${describe(params.allowedValue)}, got ${describe(data)}` }
    default: return { path: at, message: `${message}, got ${describe(data)}` }
  }
}
