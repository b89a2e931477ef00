/** The kinds of failed requests; the errors plugin gives each its HTTP status. */
export type ErrorKind =
  /** Does not fit the schema. */
  | 'malformed'
  /** Well-formed, but wrong for this model or inconsistent. */
  | 'unprocessable'
  /** No model, version, session or file has that name. */
  | 'unknown'
  /** Conflicts with what exists: a state of another model, a step that another request has taken. */
  | 'conflict'
  /** Refers to something that has ended. */
  | 'ended'
  /** The operator's own code failed on the request. */
  | 'failed'
  /** Cannot be answered now; the same request may succeed later. */
  | 'unavailable'
  /** Not answered in time. */
  | 'late'
  /** The client has disconnected. */
  | 'gone'
  /** Not authenticated. */
  | 'unauthorized'
  /** Rate limit exceeded. */
  | 'limited'

/** One thing that is wrong with a request. */
export interface FieldError {
  /** JSON pointer (RFC 6901) into the request's body; empty for the whole body. */
  readonly path: string
  /** What was expected and what was found, in words. */
  readonly message: string
}

/** A request that cannot be answered, with what the client must know to correct it. */
export class InputError extends Error {
  override readonly name = 'InputError'
  readonly kind: ErrorKind
  readonly errors: readonly FieldError[]
  /** The model that the error is about, if the request reached one. */
  model?: string

  constructor (kind: ErrorKind, errors: FieldError | readonly FieldError[], options?: ErrorOptions) {
    const list = 'path' in errors ? [errors] : errors
    super(list.map(({ path, message }) => path === '' ? message : `${path}: ${message}`).join('; '), options)
    this.kind = kind
    this.errors = list
  }
}

/** A name in a JSON pointer; a name that is too long for any field is truncated. */
export function pointerPart (name: string): string {
  const part = name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}...` : name
  return part.replaceAll('~', '~0').replaceAll('/', '~1')
}
const MAX_NAME = 80

/** A well-formed request that is wrong at `path`. */
export function unprocessable (path: string, message: string): InputError {
  return new InputError('unprocessable', { path, message })
}

/** The message of anything that was thrown. */
export function messageOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
