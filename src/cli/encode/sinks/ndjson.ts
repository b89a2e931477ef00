import { findAddon } from '../../../engine/addon.ts'
import { createJson } from '../../../wire/json.ts'
import type { WriteLines } from './text.ts'

/** One object per line: the row's carried values and its fields, or `error`, which says why it has no answer. */
export function ndjsonLines (): WriteLines {
  const json = createJson(findAddon())
  return (answers) => answers.map((answer) => {
    const { carried } = answer
    if ('fault' in answer) return `${json.write({ ...carried, error: answer.fault })}\n`
    const fields: Record<string, unknown> = {}
    for (const [name, tensor] of Object.entries(answer.fields)) {
      if (!name.startsWith(PART)) fields[name] = tensor
      else fields.parts = { ...Object(fields.parts), [name.slice(PART.length)]: tensor }
    }
    return `${json.write({ ...carried, ...fields })}\n`
  }).join('')
}

const PART = 'parts/'
