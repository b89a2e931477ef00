import type { FastifyRequest } from 'fastify'
import type { TObject } from '../tensor/typebox.ts'
import { InputError } from '../errors.ts'
import type { Model } from '../model/model.ts'
import { integerFields, nestedIntegerFields, tensorFields } from '../tensor/schema.ts'
import type { Fields } from '../wire/tensor-paths.ts'

/** Returns the fields of a body with this schema for a given model: each model has its own context. */
export function modelFields (body: TObject): (model: Model) => Fields {
  const fields = new WeakMap<Model, Fields>()
  return (model) => {
    const known = fields.get(model) ?? fieldsOf(body, model)
    fields.set(model, known)
    return known
  }
}

/** The same for a request, with the model that answers it. */
export function servedFields (body: TObject): (request: FastifyRequest) => Fields {
  const fieldsOf = modelFields(body)
  return (request) => fieldsOf(request.served())
}

/** The tensors and lists of the body, including those of the model's context. */
function fieldsOf (body: TObject, { name, policy: { policy: { context } } }: Model): Fields {
  const inContext = (name: string): string => `context/${name}`
  return {
    model: name,
    known: Object.keys(body.properties),
    tensors: [...tensorFields(body), ...tensorFields(context).map(inContext)],
    tokens: Object.keys(body.properties).filter((name) => name === 'state'),
    nested: nestedIntegerFields(body),
    integers: [...integerFields(body), ...integerFields(context).map(inContext)]
  }
}

/** Joins a body and the options of its query string; each option may be in only one of them. */
export function withOptions<B extends object> (body: B, options: object): B {
  const names = Object.keys(options)
  if (names.length === 0) return body
  const twice = names.find((name) => Object.hasOwn(body, name))
  if (twice !== undefined) throw new InputError('unprocessable', { path: `/${twice}`, message: 'is in the query string as well' })
  return { ...body, ...options }
}
