import type { CellSizes } from '../../../network/cell.ts'

/** What the service and the process of a model's feedback.mjs tell each other. Every tensor is row-major. */

/** A tensor of the model's file. They come before all else, each in a message of its own: some are large. */
export interface TensorOrder {
  readonly kind: 'tensor'
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** Comes once, after the tensors. */
export interface LoadOrder {
  readonly kind: 'load'
  /** Of feedback.mjs. */
  readonly path: string
  readonly sizes: CellSizes
  /** How many bytes the module may take beyond what the process has by then. */
  readonly memory: number
}

/** Asks for what rows of one request read next. It is answered by one report. */
export interface RunOrder {
  readonly kind: 'run'
  readonly request: number
  /** The request's context, as `v8.serialize` writes it, if the process does not have it. */
  readonly context?: Uint8Array | undefined
  /** Requests whose contexts are not needed any more. */
  readonly forget: readonly number[]
  /** The step that is to read the result. */
  readonly t: number
  /** Indices of the rows, n of them. */
  readonly rows: readonly number[]
  /** `[n, Ho]` */
  readonly h: Float32Array
  /** `[n, Ho]`, or `[n, 0]` if the cell has no carry. */
  readonly c: Float32Array
  /** `[n, I]`; left out if the request does not bring it. */
  readonly x?: Float32Array | undefined
  /** `[n, S]` */
  readonly state: Float32Array
}

export type Order = TensorOrder | LoadOrder | RunOrder

export type Report =
  | ReadyReport
  /** The module cannot be loaded. */
  | { readonly kind: 'broken', readonly message: string }
  | RunReport

export interface ReadyReport {
  readonly kind: 'ready'
  /** The JSON schema of a context, if the module exports one. */
  readonly context?: object | undefined
  /** S: how many numbers the module keeps for a row. */
  readonly state: number
}

/** What became of a `RunOrder`. */
export type RunReport =
  /** `next` is `[ran, Hi]`, `state` `[ran, S]`: of the first of the rows, at least one. */
  | { readonly kind: 'made', readonly ran: number, readonly next: Float32Array, readonly state: Float32Array }
  /** The result depends on an x that the request does not bring. */
  | { readonly kind: 'unknown' }
  /** `cause` is for the operator's log. */
  | { readonly kind: 'failed', readonly what: string, readonly cause?: string | undefined }

/** The exit code of a process that ended within a call of the function. */
export const ENDED_IN_CALL = 97
