/** The parts of a JSON schema that are used. */
interface Schema {
  readonly type?: unknown
  readonly properties?: Readonly<Record<string, unknown>>
  readonly required?: readonly unknown[]
  readonly items?: unknown
  readonly examples?: readonly unknown[]
  readonly default?: unknown
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly minItems?: number
  readonly minimum?: number
  readonly description?: string
}

export interface Property {
  readonly name: string
  readonly required: boolean
  readonly description: string
  readonly schema: unknown
}

/** The properties of an object that a schema describes; undefined if it describes anything else. */
export function propertiesOf (schema: unknown): Property[] | undefined {
  const { properties, required = [] }: Schema = Object(schema)
  if (properties === undefined) return undefined
  return Object.entries(properties).map(([name, property]) => {
    const { description = '' }: Schema = Object(property)
    return { name, required: required.includes(name), description, schema: property }
  })
}

/** A value that fits most schemas: the schema's own example or default, otherwise the smallest valid value. */
export function exampleOf (schema: unknown): unknown {
  const { type, properties = {}, required = [], items, examples, default: fallback, const: only, enum: values, minItems = 0, minimum = 0 }: Schema = Object(schema)
  const given = [only, fallback, examples?.[0], values?.[0]].find((value) => value !== undefined)
  if (given !== undefined) return given
  switch (Array.isArray(type) ? type[0] : type) {
    case 'array': return Array.from({ length: minItems }, () => exampleOf(items))
    case 'number': case 'integer': return minimum
    case 'string': return ''
    case 'boolean': return false
    case 'null': return null
    default: return Object.fromEntries(Object.entries(properties).filter(([name]) => required.includes(name)).map(([name, property]) => [name, exampleOf(property)]))
  }
}
