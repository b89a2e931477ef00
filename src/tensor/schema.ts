import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js'
import type { DataValidationCxt } from 'ajv/dist/types/index.js'
import Type, { type Static, type TSchema, type TSchemaOptions, type TUnsafe } from 'typebox'
import { InputError, type FieldError } from '../errors.ts'
import { checkForm, describe, readTensor, Tensor, type TensorForm } from './tensor.ts'

const ajv = new Ajv2020({ verbose: true, allErrors: false, strictTypes: false, useDefaults: true })

/** For values that arrive as text, such as those of a query string: `3` is a number there. */
const textAjv = new Ajv2020({ verbose: true, allErrors: false, strictTypes: false, coerceTypes: true })

ajv.addKeyword({
  keyword: 'tensor',
  modifying: true,
  errors: false,
  // Validating a tensor and flattening it are one walk, so the keyword replaces the nested arrays with the flat tensor.
  validate (form: TensorForm, value: unknown, _schema: unknown, at?: DataValidationCxt) {
    if (at === undefined) return true
    if (value instanceof Tensor) checkForm(value, at.instancePath, form)
    else at.parentData[at.parentDataProperty] = readTensor(value, at.instancePath, form)
    return true
  }
})
// The published schema of a value that something other than Ajv validates.
ajv.addKeyword({ keyword: 'documented', schemaType: 'object' })

/**
 * A tensor of a request or an answer: `readTensor` validates and flattens it, and the OpenAPI document shows it as nested
 * arrays.
 */
export function TensorSchema (form: TensorForm, options: TSchemaOptions): TUnsafe<Tensor> {
  const nested = form.ranks.map((rank) => nestedArrays(rank))
  return Type.Unsafe<Tensor>({ tensor: form, documented: nested.length === 1 ? nested[0] : { anyOf: nested }, ...options })
}

function nestedArrays (rank: number): object {
  const items = rank === 1 ? { type: 'number' } : nestedArrays(rank - 1)
  return { type: 'array', items, minItems: 1 }
}

/** The names of an object schema's properties that are tensors. */
export function tensorFields ({ properties = {} }: { properties?: object }): string[] {
  return Object.entries(properties).filter(([, schema]) => typeof schema === 'object' && schema !== null && 'tensor' in schema).map(([name]) => name)
}

/** The schema as it is published: plain JSON Schema, without the keywords above. */
export function publish (schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(publish)
  if (typeof schema !== 'object' || schema === null) return schema
  const { tensor, documented, ...rest }: Record<string, unknown> = { ...schema }
  return Object.fromEntries(Object.entries({ ...rest, ...Object(documented) })
    .map(([key, value]) => [key, KEEP.has(key) ? value : publish(value)]))
}
// These are instances, not schemas: an example may have a field named `tensor`.
const KEEP = new Set(['example', 'examples', 'default', 'const', 'enum'])

/** A validated value, or an `InputError` that names what is wrong, with pointers that start at `path`. */
export type Validate<T> = (value: unknown, path: string) => T

/**
 * Compiles a schema once, for many values. Tensors are flattened in place.
 *
 * @throws Error if the schema itself is invalid.
 */
export function compile<S extends TSchema> (schema: S): Validate<Static<S>> {
  return refusing(ajv.compile<Static<S>>(schema))
}

/** The same for an object whose values are text: converts them in place to the types of the schema. */
export function compileText<S extends TSchema> (schema: S): Validate<Static<S>> {
  return refusing(textAjv.compile<Static<S>>(schema))
}

function refusing<T> (validate: ValidateFunction<T>): Validate<T> {
  return (value, path) => {
    let errors: ErrorObject[] | null | undefined
    try {
      if (validate(value)) return value
      errors = validate.errors
    } catch (error) {
      // The error of a tensor.
      if (error instanceof InputError && path !== '') {
        throw new InputError(error.kind, error.errors.map((e) => ({ ...e, path: path + e.path })))
      }
      throw error
    }
    throw new InputError('malformed', (errors ?? []).map((error) => fieldError(error, path)))
  }
}

/** A name in a JSON pointer. A name longer than any field is cut. */
export function pointerPart (name: string): string {
  const part = name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}...` : name
  return part.replaceAll('~', '~0').replaceAll('/', '~1')
}
const MAX_NAME = 80

function fieldError ({ keyword, instancePath, params, message = 'is invalid', data }: ErrorObject, path: string): FieldError {
  const at = path + instancePath
  const child = (name: string): string => `${at}/${pointerPart(name)}`
  switch (keyword) {
    case 'required': return { path: child(params.missingProperty), message: 'is required' }
    case 'additionalProperties': return { path: child(params.additionalProperty), message: 'is not a known field' }
    case 'enum': return { path: at, message: `expected one of ${params.allowedValues.join(', ')}, got ${describe(data)}` }
    case 'const': return { path: at, message: `expected ${describe(params.allowedValue)}, got ${describe(data)}` }
    default: return { path: at, message: `${message}, got ${describe(data)}` }
  }
}
