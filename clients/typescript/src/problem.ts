import type { FieldError, Problem as Details } from './openapi.ts'

/** What the service refused, as RFC 9457 has it; or any other answer that is no success, such as a proxy's. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly title: string
  /** What was expected, and what was found; the message of the error, too. */
  readonly detail: string
  /** What is wrong with which fields, by JSON pointers into the request. */
  readonly errors: readonly FieldError[]
  /** The model that the problem is about. */
  readonly model: string | undefined
  /** The seconds after which to try again. */
  readonly retryAfter: number | undefined
  /** By which the log of the service names the request. */
  readonly requestId: string | undefined

  constructor ({ status, title, detail, errors = [], model }: Omit<Details, 'type'>, headers?: Headers) {
    super(detail)
    this.status = status
    this.title = title
    this.detail = detail
    this.errors = errors
    this.model = model
    this.retryAfter = secondsOf(headers?.get('retry-after') ?? undefined)
    this.requestId = headers?.get('x-request-id') ?? undefined
  }
}

/** The problem of an answer that is no success. */
export async function readProblem (response: Response): Promise<Problem> {
  const { status, statusText, headers } = response
  const text = await response.text()
  if (/^application\/(?:problem\+)?json\b/.test(headers.get('content-type') ?? '')) {
    try {
      const details: unknown = JSON.parse(text)
      if (isDetails(details)) return new Problem(details, headers)
    } catch {
      // It is told as it came.
    }
  }
  return new Problem({ status, title: statusText, detail: text.trim().slice(0, 1000) || statusText || `the answer is ${status}` }, headers)
}

export function isDetails (value: unknown): value is Details {
  return typeof value === 'object' && value !== null && 'status' in value && 'detail' in value
}

/** Seconds, or a date. */
function secondsOf (header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds)
}
