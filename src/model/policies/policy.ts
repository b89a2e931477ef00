import type { TSchema } from '../../tensor/typebox.ts'
import type { Feed } from '../../network/feed.ts'
import type { Layers } from '../../network/layers.ts'
import type { Wiring } from '../../network/network.ts'
import type { Call } from '../call.ts'
import type { Host } from '../../scheduler/task.ts'
import type { Readout } from './readout.ts'

/**
 * A kind of feedback policy, as `config.json` names it: a name for a wiring. Adding one takes a file here and a line in
 * `policies.ts`.
 */
export interface PolicyKind {
  readonly name: string
  /** What it does, in a sentence, for the documentation. */
  readonly summary: string
  /**
   * Makes the policy of one model from its `feedback` options in `config.json`.
   *
   * @throws InputError or Error if the options or the sizes do not fit; the message says what would fit.
   */
  create (options: unknown, model: PolicySetting): Policy | Promise<Policy>
}

/** What a model provides for its policy. */
export interface PolicySetting {
  readonly layers: Layers
  /** The model's own folder, if it has one. */
  readonly folder: string | undefined
  /** A tensor of the model's file, by name; throws if the file does not have it. */
  readonly tensor: (name: string) => { readonly shape: readonly number[], readonly data: Float32Array }
  /** All floating-point tensors of the model's file, by name. */
  readonly tensors: () => Iterable<readonly [name: string, tensor: { readonly shape: readonly number[], readonly data: Float32Array }]>
  readonly hosting: Hosting
  /** What makes `y`, if the model has a readout. */
  readonly readout?: Readout | undefined
  /** The layer that computes x, if the model has one; `makes` describes it in words. */
  readonly input?: { readonly kind: 'embedding' | 'layer', readonly width: number, readonly makes: string } | undefined
}

/** Limits for the operator's own code. */
export interface Hosting {
  /** How long a call may take, in seconds. */
  readonly timeout: number
  /** How much memory it may take, in MiB. */
  readonly memory: number
  /** Receives errors that are not a request's fault. */
  readonly report: (error: Error) => void
}

/** How a model makes what its first cell reads at each step. */
export interface Policy {
  /** Left out if only the client knows the feedback; a request is then one step. */
  readonly wiring?: Wiring | undefined
  /** What makes `y` if there is no wiring; a wiring contains its own readout. */
  readonly readout?: Feed | undefined
  /**
   * What the first feed sees. `read`: h = h_0 or zeros, then a read. `x`: h = x, then a read. `no-read`: the read and the lets
   * are zeros.
   */
  readonly initial: 'read' | 'x' | 'no-read'
  /** The width of the x that a sequence sends: what the wiring leaves of I; 0 if it sends none. */
  readonly x: number
  /** The JSON schema of a request's `context`. */
  readonly context: TSchema
  /** The width of the request's `vectors`, if the wiring has them. */
  readonly vectors?: number | undefined
  /** What makes `h_in` outside the engine, if the wiring's h is `host`. */
  readonly host?: OpenHost | undefined
  /** Ends the model's own process, if it has one. Call it once no request is in progress. */
  readonly close?: (() => Promise<void>) | undefined
}

/**
 * Starts one request on a host.
 *
 * @throws InputError if its context does not fit.
 */
export type OpenHost = (context: unknown, rows: HostRows, call: Call) => HostedRequest

/** A request that a host serves. */
export interface HostedRequest {
  readonly feed: Host
  /** Whether the feed of the step after the last one could be made; it cannot if it depends on input that comes with that step. */
  readonly next: boolean
  /** Ends the request. */
  close (): void
}

/** The rows of a request, as a host sees them. */
export interface HostRows {
  /** How many steps each row takes. */
  readonly lengths: readonly number[]
  /** How many steps each row had taken before. */
  readonly before: readonly number[]
  /** A named slice of a row's state: `h0`, `c0`, `h_in`, `host`; a view that can be written to. */
  state (row: number, name: string): Float32Array
  /** What a row reads as x at a step, `[I]`; undefined beyond the row's end, if the request does not send it. */
  x (row: number, t: number): Float32Array | undefined
}
