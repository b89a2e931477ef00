import type { CellSizes } from '../../../network/cell.ts'

/**
 * The messages between the service and the process of a model's feedback.mjs: the heads of frames, and the bodies that come
 * with them. Floats are float32, row-major.
 */
export type Order = TensorOrder | LoadOrder | ContextOrder | RunOrder

/** A tensor of the model's file; its floats are the body. Tensors are sent first. */
export interface TensorOrder {
  readonly kind: 'tensor'
  readonly name: string
  readonly shape: readonly number[]
}

/** Sent once, after the tensors. */
export interface LoadOrder {
  readonly kind: 'load'
  /** The path of feedback.mjs. */
  readonly path: string
  /** The source to run instead of the file, if that may have changed by now. */
  readonly source?: string | undefined
  readonly sizes: CellSizes
  /** How many bytes the module may use beyond what the process uses by then. */
  readonly memory: number
}

/** A request's context, as `v8.serialize` writes it, is the body. */
export interface ContextOrder {
  readonly kind: 'context'
  readonly request: number
}

/** Asks for what rows of one request read next. One report answers it. The body has the floats `[n, h, c, state, x]`. */
export interface RunOrder {
  readonly kind: 'run'
  readonly request: number
  /** Requests whose contexts are not needed any more. */
  readonly forget: readonly number[]
  /** The step that reads the result. */
  readonly t: number
  /** Indices of the rows, n of them. */
  readonly rows: readonly number[]
  /** The width of c. */
  readonly c: number
  /** The width of x: I, or 0 if the request does not send it. */
  readonly x: number
}

export type Report = ReadyReport | BrokenReport | RunReport

export interface ReadyReport {
  readonly kind: 'ready'
  /** The JSON schema of a context, if the module exports one. */
  readonly context?: object
  /** How many numbers the module keeps for a row. */
  readonly state: number
}

/** The module cannot be loaded. */
export interface BrokenReport {
  readonly kind: 'broken'
  readonly message: string
}

/** The outcome of a `RunOrder`. */
export type RunReport =
  /** Results for the first rows, at least one. The body has the floats `[ran, h_in, state]`. */
  | { readonly kind: 'made', readonly ran: number }
  /** The result depends on an x that the request does not send. */
  | { readonly kind: 'unknown' }
  /** `cause` is for the operator's log. */
  | { readonly kind: 'failed', readonly what: string, readonly cause?: string }

/** The exit code of a process that ended during a call of the function. */
export const ENDED_IN_CALL = 97

/** The file descriptor of the process's end of the channel. */
export const CHANNEL = 4
