import type { FieldError, Problem as Details } from './openapi.ts'

/** A problem reported by the service (RFC 9457), or any other unsuccessful answer, such as a proxy's. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly status: number
  readonly title: string
  /** What was expected, and what was found; also the message of the error. */
  readonly detail: string
  /** The faulty fields, as JSON pointers into the request, and what is wrong with each. */
  readonly errors: readonly FieldError[]
  /** The model that the problem is about. */
  readonly model: string | undefined
  /** The seconds after which to try again. */
  readonly retryAfter: number | undefined
  /** The id of the request in the service's log. */
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

/** Reads the problem from an unsuccessful answer. */
export async function readProblem (response: Response): Promise<Problem> {
  const { status, statusText, headers } = response
  const text = await response.text()
  if (/^application\/(?:problem\+)?json\b/.test(headers.get('content-type') ?? '')) {
    try {
      const details: unknown = JSON.parse(text)
      if (isDetails(details)) return new Problem(details, headers)
    } catch {
      // The text is reported unchanged.
    }
  }
  return new Problem({ status, title: statusText, detail: text.trim().slice(0, 1000) || statusText || `the answer is ${status}` }, headers)
}

export function isDetails (value: unknown): value is Details {
  return typeof value === 'object' && value !== null && 'status' in value && 'detail' in value
}

/** Parses `retry-after`: seconds, or a date. */
function secondsOf (header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isNaN(seconds) ? undefined : Math.max(0, seconds)
}
