import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Type, { type TSchema } from 'typebox'
import type { CellSizes } from '../../network/cell.ts'
import { InputError } from '../../errors.ts'
import { compile } from '../../tensor/schema.ts'
import { directionsOf, sizesOf } from '../../network/layers.ts'
import { PLAIN } from '../../network/network.ts'
import { optionsOf } from './options.ts'
import type { PolicyKind } from './policy.ts'

const readOptions = optionsOf('module', {})

/** What an operator's `feedback.mjs` exports. */
interface FeedbackModule {
  /** JSON schema of a request's `context`; left out where any JSON will do. */
  readonly context?: TSchema
  /** Makes `h_in`, `[Hi]`, of `h`, `[Ho]`. */
  readonly feedback: (step: FeedbackStep) => unknown
}

/** What an operator's `feedback` function is given, each call its own. */
export interface FeedbackStep {
  /** `[Ho]`: the last `h_out`, zeros before the first step. */
  readonly h: Float32Array
  /** The request's `context`, as its schema lets it pass. */
  readonly context: unknown
  /** Index of the batch row. */
  readonly row: number
  /** Index of the step that is to read the result. */
  readonly t: number
  readonly sizes: CellSizes
}

/** What the model's own JavaScript says: `feedback.mjs` in its folder, operator's code, loaded once at the start. */
export const moduleFile: PolicyKind = {
  name: 'module',
  summary: 'h_in is what feedback.mjs in the model\'s folder says.',
  async create (options, { layers, folder }) {
    readOptions(options)
    const sizes = sizesOf(layers)
    if (layers.nodes.length > 1 || directionsOf(layers) === 2) throw new Error('policy module needs a network of one layer and one direction')
    if (folder === undefined) throw new Error('policy module needs a feedback.mjs in the model\'s own folder')
    const path = join(folder, 'feedback.mjs')
    const { feedback, context = Type.Unknown() } = await load(path)
    const readContext = compile(context)
    // The model's own are for the module to read, not to change.
    const known = Object.freeze({ ...sizes })
    return {
      context,
      wiring: { ...PLAIN, h: 'host' },
      initial: 'read',
      x: sizes.I,
      host (given, { state }) {
        const checked: unknown = readContext(given, '/context')
        return (rows, steps) => rows.forEach((row, i) => {
          const t = steps[i]
          const result = call(() => feedback({ h: state(row, 'h0').slice(), context: checked, row, t, sizes: known }), t)
          const problem = wrongWith(result, sizes.Hi)
          if (problem !== undefined) throw failed(t, `returned ${problem}, expected ${sizes.Hi} finite numbers (Hi)`)
          if (Array.isArray(result) || result instanceof Float32Array) state(row, 'h_in').set(result)
        })
      }
    }
  }
}

async function load (path: string): Promise<FeedbackModule> {
  let loaded: unknown
  try {
    loaded = await import(pathToFileURL(path).href)
  } catch (error) {
    throw new Error(`${path}: cannot be loaded: ${error instanceof Error ? error.message : String(error)}`)
  }
  if (!isFeedbackModule(loaded)) throw new Error(`${path}: expected an exported function named feedback, and a JSON schema as context if any`)
  return loaded
}

function isFeedbackModule (value: unknown): value is FeedbackModule {
  return typeof value === 'object' && value !== null && 'feedback' in value && typeof value.feedback === 'function' &&
    (!('context' in value) || (typeof value.context === 'object' && value.context !== null))
}

function call (feedback: () => unknown, t: number): unknown {
  try {
    const result = feedback()
    // A promise is refused below; if it is rejected later, nobody else is there to catch that, and the process would end.
    if (isThenable(result)) Promise.resolve(result).catch(() => {})
    return result
  } catch (error) {
    // Its message is for the operator's log, not for the client.
    throw failed(t, 'threw an error', error)
  }
}

function isThenable (value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

function wrongWith (result: unknown, Hi: number): string | undefined {
  if (!Array.isArray(result) && !(result instanceof Float32Array)) return isThenable(result) ? 'a promise' : typeof result
  if (result.length !== Hi) return `${result.length} numbers`
  const odd = result.findIndex((value) => typeof value !== 'number' || !Number.isFinite(Math.fround(value)))
  return odd < 0 ? undefined : `${String(result[odd])} at ${odd}`
}

function failed (t: number, what: string, cause?: unknown): InputError {
  return new InputError('failed', { path: '', message: `the model's feedback.mjs ${what}, for step ${t}` }, { cause })
}
