import fp from 'fastify-plugin'
import { Refusal } from '../refusal.ts'
import { compile } from '../schema.ts'

/** Validates requests by our own compiler, which flattens tensors on its way, and writes answers as plain JSON. */
export default fp(async (app) => {
  app.setValidatorCompiler(({ schema }) => {
    const validate = compile(schema)
    return (value: unknown) => {
      try {
        return { value: validate(value, '') }
      } catch (error) {
        if (error instanceof Refusal) return { error }
        throw error
      }
    }
  })
  // Nothing of an answer comes from outside, and tests hold every answer against its schema.
  app.setSerializerCompiler(() => (value) => JSON.stringify(value))
}, { name: 'validation', fastify: '5.x' })
