import assert from 'node:assert/strict'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import type { Answer } from '../support/http.ts'

/** An operation of the OpenAPI document. */
export interface Operation {
  readonly id: string
  readonly method: string
  readonly path: string
  /** What it answers: by status, then by media type. */
  readonly answers: ReadonlyMap<number, ReadonlyMap<string, ValidateFunction>>
}

interface Written {
  readonly paths: Record<string, Record<string, {
    readonly operationId: string
    readonly responses: Record<string, { readonly content?: Record<string, { readonly schema?: object }> }>
  }>>
}

export interface Document {
  readonly operations: readonly Operation[]
  /** The operation of a request; undefined if there is none. */
  find (method: string, path: string): Operation | undefined
  /** Fails if the operation may not answer this. Without an operation, checks an answer that no operation gives. */
  check (answer: Answer, operation: Operation | undefined, bodyless: boolean): void
}

/** The statuses of requests that are invalid as HTTP, before any operation. */
const OF_HTTP = new Set([400, 414, 417, 431])

export function readDocument (document: Written): Document {
  const ajv = new Ajv2020({ strict: false, logger: false, formats: { 'json-pointer': /^(\/([^~/]|~[01])*)*$/ } })
  ajv.addSchema(document, 'document')
  const compile = (...pointer: string[]): ValidateFunction =>
    ajv.compile({ $ref: `document#${pointer.map((key) => `/${encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))}`).join('')}` })

  const operations = Object.entries(document.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, written]): Operation => ({
    id: written.operationId,
    method: method.toUpperCase(),
    path,
    answers: new Map(Object.entries(written.responses).map(([status, { content = {} }]) => [Number(status), new Map(Object.keys(content).map((type) =>
      [type, compile('paths', path, method, 'responses', status, 'content', type, 'schema')]))]))
  })))
  const isProblem = compile('components', 'schemas', 'Problem')

  function check ({ status, headers, body }: Answer, operation: Operation | undefined, bodyless: boolean): void {
    assert.ok(status < 500 || status === 503 || status === 504, `${status}: ${body.toString()}`)
    const type = headers.get('content-type')?.split(';', 1)[0] ?? 'none'
    if (operation === undefined) {
      assert.ok(status >= 400, `${status} where there is no operation`)
      assert.equal(type, 'application/problem+json', `${status}: ${body.toString()}`)
      if (!bodyless) assertValid(isProblem, body.toString())
      return
    }
    if (OF_HTTP.has(status) && !operation.answers.has(status)) {
      check({ status, headers, body }, undefined, bodyless)
      return
    }
    const declared = operation.answers.get(status) ?? assert.fail(`${operation.id} does not declare ${status}: ${body.toString()}`)
    if (declared.size === 0) {
      assert.equal(body.length, 0, `${operation.id} declares no body for ${status}`)
      return
    }
    const validate = declared.get(type) ?? assert.fail(`${operation.id} does not declare ${type} for ${status}: ${body.toString().slice(0, 500)}`)
    if (bodyless) return
    if (type === 'application/vnd.safetensors') {
      // Tokens are bytes, and t is an integer.
      for (const [name, { dtype }] of parseSafetensors(body)) assert.equal(dtype, name === 'state' ? 'U8' : name === 't' ? 'I64' : 'F32')
    } else if (type === 'application/x-ndjson') {
      for (const line of body.toString().split('\n').slice(0, -1)) assertValid(validate, line)
    } else {
      assertValid(validate, type.endsWith('json') ? body.toString() : JSON.stringify(body.toString()))
    }
  }

  return {
    operations,
    check,
    find (method, path) {
      const wanted = path.split('?', 1)[0].split('/')
      return operations.find((operation) => {
        const parts = operation.path.split('/')
        return operation.method === (method === 'HEAD' ? 'GET' : method) && parts.length === wanted.length &&
          parts.every((part, i) => part === wanted[i] || (part.startsWith('{') && wanted[i] !== ''))
      })
    }
  }
}

/** JSON has neither NaN nor infinities, but an overflowing literal is read as one. */
function assertValid (validate: ValidateFunction, json: string): void {
  const value: unknown = JSON.parse(json, (_key, child: unknown) => {
    assert.ok(typeof child !== 'number' || Number.isFinite(child), json)
    return child
  })
  assert.ok(validate(value) || validate(batchOf(value)), `${JSON.stringify(validate.errors)}: ${json.slice(0, 500)}`)
}

/** An answer to a request without [B] has none either, but the document's types always have it: the same answer as a batch of one. */
function batchOf (value: unknown): unknown {
  if (Array.isArray(value)) return [value]
  if (typeof value !== 'object' || value === null) return value
  // Its token is a lone string.
  return Object.fromEntries(Object.entries(value).map(([name, field]: [string, unknown]) => [name, name === 'state' && typeof field === 'string' ? [field] : batchOf(field)]))
}
