import fp from 'fastify-plugin'
import { InputError } from '../errors.ts'
import { compile, compileText } from '../tensor/schema.ts'

/** Validates requests with our own compiler, which supports tensors, and writes answers as plain JSON. */
export default fp(async (app) => {
  app.setValidatorCompiler(({ schema, httpPart }) => {
    const validate = httpPart === 'querystring' ? compileQuery(schema) : compile(schema)
    return (value: unknown) => {
      try {
        const validated = validate(value, '')
        // Fastify replaces the value with the returned one; true leaves it unchanged.
        return validated === value || { value: validated }
      } catch (error) {
        if (error instanceof InputError) return { error }
        throw error
      }
    }
  })
  // No part of an answer comes from outside, and tests check every answer against its schema.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value))
}, { name: 'validation', fastify: '5.x' })

/** Query parameters are text, and a pointer into the body would mislead. */
function compileQuery (schema: Parameters<typeof compileText>[0]): (query: unknown) => unknown {
  const validate = compileText(schema)
  return (query) => {
    try {
      return validate(query, '')
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      throw new InputError(error.kind, error.errors.map(({ path, message }) => ({ path: '', message: `${path.slice(1)} in the query string: ${message}` })))
    }
  }
}
