import fp from 'fastify-plugin'
import secureJson from 'secure-json-parse'
import { Refusal } from '../refusal.ts'

/** Reads JSON bodies, and says where one is not JSON. Keys that would reach an object's prototype are refused. */
export default fp(async (app) => {
  // Fastify reads text by itself, too; here only JSON is asked for.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, async (_request: unknown, body: string) => {
    try {
      return isPlain(body) ? JSON.parse(body) : secureJson.parse(body, null, { protoAction: 'error', constructorAction: 'error' })
    } catch (error) {
      throw new Refusal('malformed', { path: '', message: body === '' ? 'the body is empty' : whatIsWrong(error) })
    }
  })
}, { name: 'json', fastify: '5.x' })

/** Most bodies have nothing that could spell such a key, and to see that is far quicker than to search for one. */
function isPlain (body: string): boolean {
  return !body.includes('__proto__') && !body.includes('constructor') && !body.includes('\\u') && !body.startsWith('\ufeff')
}

function whatIsWrong (error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error)
  return reason.includes('forbidden prototype') ? 'a key of the body is __proto__ or constructor, which is not allowed' : `the body is not JSON: ${reason}`
}
