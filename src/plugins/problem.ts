import { STATUS_CODES } from 'node:http'
import type { FieldError } from '../errors.ts'

export const PROBLEM_JSON = 'application/problem+json'

/** RFC 9457 problem details. */
export interface Problem {
  readonly type: 'about:blank'
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly model?: string
  readonly errors?: readonly FieldError[]
}

export function problem (status: number, detail: string): Problem {
  return { type: 'about:blank', title: STATUS_CODES[status] ?? 'Client Closed Request', status, detail }
}
