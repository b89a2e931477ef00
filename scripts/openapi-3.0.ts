/**
 * Converts an OpenAPI 3.1 document to 3.0, for generators that do not read 3.1. It changes only what this service's document contains
 * and 3.0 writes differently: a numeric `exclusiveMinimum` and a license's `identifier`. A test runs the linter to find any further
 * difference.
 */
export function toOpenapi30 (document: object): object {
  return { ...Object(convert(document)), openapi: '3.0.3' }
}

function convert (value: unknown, key = ''): unknown {
  // These are instances, not schemas.
  if (typeof value !== 'object' || value === null || key === 'example' || key === 'examples') return value
  if (Array.isArray(value)) return value.map((one) => convert(one))
  return Object.fromEntries(Object.entries(value).flatMap(([name, child]): Array<[string, unknown]> => {
    if (name === 'exclusiveMinimum' && typeof child === 'number') return [['minimum', child], [name, true]]
    if (name === 'identifier' && key === 'license') return [['url', `https://spdx.org/licenses/${child}`]]
    return [[name, convert(child, name)]]
  }))
}
