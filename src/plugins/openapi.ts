import Fastify, { type RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { SAFETENSORS } from '../wire/safetensors.ts'
import { publish } from '../tensor/schema.ts'

export interface OpenapiOptions {
  readonly version: string
  /** Whether the service requires an API key. */
  readonly keyed: boolean
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The OpenAPI document. All callers share it: copy it before you change it. */
    openapi (): Promise<object>
  }
}

/** Builds the OpenAPI document from the routes' own schemas on first use: loading its generator takes a tenth of the startup time. */
export default fp<OpenapiOptions>(async (app, options) => {
  const routes: RouteOptions[] = []
  app.addHook('onRoute', (route) => { if (route.method !== 'HEAD') routes.push(route) })
  let document: Promise<object> | undefined
  app.decorate('openapi', async () => await (document ??= describe(routes, options)))
}, { name: 'openapi', fastify: '5.x' })

/** Describes routes through an app that has them but never serves requests. */
async function describe (routes: readonly RouteOptions[], { version, keyed }: OpenapiOptions): Promise<object> {
  const { default: swagger } = await import('@fastify/swagger')
  const app = Fastify({ exposeHeadRoutes: false })
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => () => '')
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'cellserve',
        version,
        description: 'Recurrent networks, including those whose input hidden size (Hi) differs from their output hidden size (Ho).\n\n' +
          'Sizes: B is the number of batch rows, T the number of time steps, I the input size, Hi the width of the h that the cell reads, Ho the width of the h that it writes. ' +
          'All numbers are float32: a decimal is rounded to the nearest double, and the double to the nearest float32; answers have the ' +
          'fewest digits that read back as the same float32. If the request\'s `x` has no batch dimension, the answer has none either.',
        license: { name: 'MIT', identifier: 'MIT' }
      },
      ...(keyed && KEYED),
      servers: [{ url: '/', description: 'This server' }],
      tags: [
        { name: 'cells', description: 'Step a cell, or run it over a sequence.' },
        { name: 'sessions', description: 'Rows that the service keeps between requests.' },
        { name: 'models', description: 'The served models.' },
        { name: 'operations', description: 'Health, metrics and this document.' }
      ]
    }
  })
  for (const { method, url, schema } of routes) app.route({ method, url, ...(schema !== undefined && { schema }), handler: () => {} })
  await app.ready()
  return nameSchemas(app.swagger())
}

/** What a document says about API keys, if the service requires one. */
const KEYED: { components: { securitySchemes: Record<string, SecurityScheme> }, security: Array<Record<string, string[]>> } = {
  components: {
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer', description: 'An API key.' },
      apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'The same key in a header of its own.' }
    }
  },
  security: [{ bearer: [] }, { apiKey: [] }]
}

type SecurityScheme = { description: string } & ({ type: 'http', scheme: string } | { type: 'apiKey', in: string, name: string })

/** The schemas define the fields; in a safetensors document, these are tensors with the same names. */
const SAFETENSORS_DOCUMENT = {
  type: 'string',
  format: 'binary',
  title: 'SafetensorsDocument',
  description: `The tensors of the JSON body, under the same names, as a safetensors document. Tensors in the context keep their own names: \`vectors\`, \`support\`.
A request's tensors may be F32, F16, BF16 or F64, and \`lengths\` I32 or I64; its other options go in the query string. An answer's tensors are F32.
The answer has the format of the request, unless the \`accept\` header asks for another. From Python:

\`\`\`python
import numpy as np
import requests
from safetensors.numpy import load, save

x = np.array([[0.5, -0.25], [1, 2]], np.float32)
answer = requests.post("http://localhost:8080/step", data=save({"x": x}),
                       headers={"content-type": "application/vnd.safetensors"})
answer.raise_for_status()
print(load(answer.content)["h_out"])
\`\`\``
}

/**
 * Turns the validation schemas into published ones, and moves each schema with a title to the document's components, so that
 * generated clients have names for them.
 */
function nameSchemas<D extends object> (document: D): D {
  const schemas: Record<string, unknown> = {}
  const name = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(name)
    if (typeof value !== 'object' || value === null) return value
    const named = Object.fromEntries(Object.entries(value).map(([key, child]) => {
      if (key === SAFETENSORS) return [key, name({ schema: SAFETENSORS_DOCUMENT })]
      return [key, key.startsWith('example') ? child : name(child)]
    }))
    if (!('title' in value) || typeof value.title !== 'string') return named
    schemas[value.title] = named
    return { $ref: `#/components/schemas/${value.title}` }
  }
  const { paths, components, ...rest }: { paths?: unknown, components?: object } = publish(document) ?? {}
  return Object.assign(document, rest, { paths: name(paths) }, { components: { ...components, schemas } })
}
