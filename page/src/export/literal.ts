/** How a language writes JSON values. */
export interface Notation {
  readonly null: string
  readonly true: string
  readonly false: string
  key (name: string): string
  text (value: string): string
}

/** A value as a literal of a language. Each field of the outermost object has its own line. */
export function literal (value: unknown, notation: Notation, indent = '', lines = true): string {
  if (value === null || value === undefined) return notation.null
  if (typeof value === 'string') return notation.text(value)
  if (typeof value === 'boolean') return value ? notation.true : notation.false
  if (typeof value !== 'object') return JSON.stringify(value)
  const inner = (each: unknown): string => literal(each, notation, indent, false)
  if (Array.isArray(value)) return `[${value.map(inner).join(', ')}]`
  const fields = Object.entries(value).filter(([, each]) => each !== undefined).map(([name, each]) => `${notation.key(name)}: ${inner(each)}`)
  if (fields.length === 0) return '{}'
  return lines ? `{\n${fields.map((field) => `${indent}${field}`).join(',\n')}\n}` : `{ ${fields.join(', ')} }`
}
