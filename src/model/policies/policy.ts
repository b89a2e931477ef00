import type { TSchema } from 'typebox'
import type { CellSizes } from '../../network/cell.ts'
import type { LinearFeedback } from '../../engine/engine.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/**
 * A kind of feedback policy, as `config.json` names it. Adding one is a file here and a line in `policies.ts`.
 */
export interface PolicyKind {
  readonly name: string
  /** What it does, in a sentence, for the documentation. */
  readonly summary: string
  /** What a request's `context` may hold; left out where that is the model's own affair. */
  readonly context?: TSchema
  /**
   * Makes the policy of one model of its `feedback` options in `config.json`.
   *
   * @throws InputError or Error where the options or the sizes do not fit; the message says what would.
   */
  create (options: unknown, model: PolicySetting): Policy | Promise<Policy>
}

/** What a model brings for its policy. */
export interface PolicySetting {
  readonly sizes: CellSizes
  /** The model's own folder, where it has one. */
  readonly folder: string | undefined
  /** A tensor of the model's file, by name; throws where there is none. */
  readonly tensor: (name: string) => { readonly shape: readonly number[], readonly data: Float32Array }
}

/** A model's way to make the next `h_in` of the last `h_out`, `[Ho] -> [Hi]`. */
export interface Policy {
  /** The JSON schema of a request's `context`. */
  readonly context: TSchema
  /**
   * Takes up one request.
   *
   * @throws InputError where its context does not fit.
   */
  bind (context: unknown, shape: RequestShape): Feedback
}

/** A model's policy, by its name and with its options. */
export interface ChosenPolicy {
  readonly name: string
  /** Its options as `config.json` sets them, or as they are by default. */
  readonly options: Readonly<Record<string, unknown>>
  readonly policy: Policy
}

/** The outline of a request, to which its context must fit. */
export interface RequestShape {
  /** B */
  readonly rows: number
  /** T, the longest row's. */
  readonly steps: number
  /** Each row's own number of steps. */
  readonly lengths: readonly number[]
  /** Whether the request has a batch dimension; a context without one is then a row's. */
  readonly batched: boolean
}

/**
 * A policy at work on one request. Vectors are given as an array and the offset where they start in it, so that nothing
 * is allocated per step.
 */
export interface Feedback {
  /** Whether `next` can tell what step `t` reads; only the client knows where it cannot. */
  knows (t: number): boolean
  /**
   * Makes what a row reads at step `t`, of its `h` after the step before (zeros before the first step).
   *
   * @param h `[Ho]` from `hAt` on.
   * @param hIn `[Hi]` from `hInAt` on, written.
   * @throws InputError where the operator's own code fails.
   */
  next (row: number, t: number, h: Float32Array, hAt: number, hIn: Float32Array, hInAt: number): void
  /** Turns a step's `h_out`, `[Ho]` from `hAt` on, into the policy's own, in place. `x` is the step's `[I]`. */
  readonly adjust?: (x: Float32Array, xAt: number, h: Float32Array, hAt: number) => void
  /** The same feedback in the engine's terms, where it has them. */
  readonly linear?: LinearTerms
  /** The attention weights of every step, `[B, T, N]`, where the request asked for them. */
  readonly weights?: Tensor
}

/** A feedback that an engine can do by itself: `h` so many times, then a vector; or a projection of `h`. */
export interface LinearTerms {
  readonly repeat: number
  readonly vectors?: VectorSource
  readonly projection?: NonNullable<LinearFeedback['projection']>
}

/** Vectors that a request brings, one a row or one a row and step. */
export interface VectorSource {
  readonly data: Float32Array
  /** D */
  readonly size: number
  readonly perStep: boolean
  /** Where the vector of a row at step `t` starts in `data`. */
  offset (row: number, t: number): number
}
