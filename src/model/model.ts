import { InputError, unprocessable } from '../errors.ts'
import type { Engine } from '../engine/engine.ts'
import { countParameters, type Cell, type CellSizes } from '../network/cell.ts'
import { bareCell, type Network, type Stage } from '../network/network.ts'
import { States } from '../network/states.ts'
import type { Admission } from '../scheduler/admission.ts'
import { unboundCall, type Call } from '../scheduler/cancellation.ts'
import { createOutputWindow } from '../scheduler/output-window.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { createStageQueue } from '../scheduler/stage-queue.ts'
import { Tensor } from '../tensor/tensor.ts'
import { MAX_ANSWER, type SequenceAnswer, type SequenceStates, type SequenceStep, type StepAnswer } from './answers.ts'
import { createContextReader, type Context } from './context.ts'
import type { Hosting, Policy } from './policies/policy.ts'
import { outlineSequence, outlineStep, type Outline, type SequenceRequest, type StepRequest } from './request.ts'
import { readSteps, streamRoom } from './stream.ts'
import { serveSequence, serveStep, type Served } from './tasks.ts'

/** A cell, its policy, its rows. */
export interface Model {
  readonly name: string
  /** Its config.json says that it answers if a request names none. */
  readonly isDefault: boolean
  readonly sizes: CellSizes
  readonly policy: { readonly name: string, readonly policy: Policy }
  readonly engine: Pick<Engine, 'name' | 'backend'>
  readonly parameters: number
  /** One step of the bare cell. @throws InputError */
  step (request: StepRequest, call?: Call): Promise<StepAnswer>
  /** Many steps with the policy's feedback between them. @throws InputError */
  sequence (request: SequenceRequest, call?: Call): Promise<SequenceAnswer>
  /**
   * The same while it is computed: the steps, some at a time, then the states. It goes no faster than it is read.
   *
   * @throws InputError, the first time that it is asked or later.
   */
  stream (request: SequenceRequest, call?: Call): AsyncGenerator<ReadonlyArray<SequenceStep | SequenceStates>, void>
  /** Ends what runs for it beside the engine, once no request is under way. */
  close (): Promise<void>
}

/** What all models of a process share. */
export interface ModelDeps {
  readonly engine: Engine
  readonly scheduler: Scheduler
  readonly admission: Admission
  /** The largest B x T of a request. */
  readonly maxSteps: number
  /** The most multiply-adds of a request. */
  readonly maxWork: number
  /** The most rows in a batch; 1 computes each row alone. */
  readonly batchRows: number
  /** The bounds of code of the models' own. */
  readonly hosting: Hosting
}

export interface ModelParts {
  readonly name: string
  readonly isDefault?: boolean | undefined
  readonly cell: Cell
  readonly policy: Model['policy']
}

export function createModel ({ name, isDefault = false, cell, policy }: ModelParts, { engine, scheduler, admission, maxSteps, maxWork, batchRows }: ModelDeps): Model {
  const { sizes } = cell
  const { Hi, Ho } = sizes
  const network = engine.load(networkOf(cell, policy.policy))
  const options = { name, batchRows, budget: engine.budget }
  const wired = createStageQueue(network, 0, options)
  const bare = network.programs.length === 1 ? wired : createStageQueue(network, 1, options)
  const readContext = createContextReader(policy.policy)

  /** Runs what `serve` lays out, if there is room for it: nothing is held before it is counted. */
  async function run (rows: number, bytes: number, call: Call, serve: () => Served): Promise<Served> {
    const reservation = call.reservation ?? admission.reserve()
    reservation.enter(rows)
    let served: Served | undefined
    try {
      reservation.hold(bytes)
      served = serve()
      await scheduler.run(served.task)
      return served
    } finally {
      served?.dispose()
      reservation.leave(rows)
      if (call.reservation === undefined) reservation.release()
    }
  }

  function layOut (request: SequenceRequest, outline: Outline, context: Context, entries: number, call: Call, window?: Served['task']['window']): Served {
    const states = new States(wired.program.state, outline.rows)
    const I = request.x.shape[request.x.rank - 1]
    const host = policy.policy.host?.(request.context ?? {}, {
      lengths: outline.lengths,
      state: (row, slice) => states.of(row, slice),
      x (row, t) {
        if (t >= outline.lengths[row] && outline.xStep > 0) return undefined
        const at = row * (outline.xStep === 0 ? I : outline.steps * I) + t * outline.xStep
        return request.x.data.subarray(at, at + I)
      }
    }, call)
    return serveSequence(request, outline, { network, queue: wired, policy: policy.policy, context, host, states, entries, window }, call)
  }

  function outlineAll (request: SequenceRequest): { outline: Outline, context: Context } {
    const outline = outlineSequence(request, sizes, maxSteps)
    const context = readContext(request.context ?? {}, outline)
    if (outline.steps > 1 && policy.policy.wiring === undefined) throw needsPolicy(outline.steps)
    checkWork(outline, context)
    return { outline, context }
  }

  function needsPolicy (steps: number): InputError {
    return unprocessable('/x', `${steps} steps need a feedback policy to make each h_in (Hi = ${Hi}) from the last h_out (Ho = ${Ho}), ` +
      'and this model has none: send one step at a time, to /step, or give the model a policy in its config.json')
  }

  function checkWork ({ rows, steps }: Outline, { support }: Context): void {
    const supports = support === undefined ? 0 : Math.max(...support.counts)
    const work = rows * (steps + 1) * (wired.program.work + supports * wired.program.readWork)
    if (work > maxWork) {
      throw unprocessable(supports === 0 ? '/x' : '/context/support', `${rows} rows of ${steps} steps${supports === 0 ? '' : `, each reading ${supports} supports,`} are ` +
        `${work} multiply-adds, more than the ${maxWork} allowed in one request`)
    }
  }

  /** Bytes of a request's own tensors, its states, and what is kept of its steps. */
  function bytesOf (request: SequenceRequest, { rows, steps }: Outline, { support, vectors, weights }: Context, entries: number): number {
    const total = support?.counts.reduce((a, b) => a + b, 0) ?? 0
    const widest = support === undefined ? 0 : Math.max(...support.counts)
    // A memory has the supports as they came, and their keys and values.
    const held = (support?.data.length ?? 0) + total * wired.program.readWork + (vectors?.data.length ?? 0)
    const kept = rows * (entries * Ho + (weights ? (entries === 0 ? steps + 1 : entries + 1) * widest : 0) + wired.program.state.width + 2 * Ho + Hi)
    return Float32Array.BYTES_PER_ELEMENT * (request.x.data.length + held + kept)
  }

  return {
    name,
    isDefault,
    sizes,
    policy,
    engine: { name: engine.name, backend: engine.backend },
    parameters: countParameters(cell),

    step: (request, call = unboundCall()) => naming(name, async () => {
      const outline = outlineStep(request, sizes)
      checkRows(outline, maxSteps)
      const { rows } = outline
      const bytes = Float32Array.BYTES_PER_ELEMENT * (request.x.data.length + rows * (bare.program.state.width + 2 * Ho))
      return statesOf(await run(rows, bytes, call, () => serveStep(bare, request, outline, call)), outline)
    }),

    sequence: (request, call = unboundCall()) => naming(name, async () => {
      const { outline, context } = outlineAll(request)
      const { rows, steps, batched } = outline
      const entries = request.return === 'last' ? 0 : steps
      checkAnswerSize(rows * entries * Ho, '/x')
      if (context.weights && context.support !== undefined) checkAnswerSize(rows * steps * Math.max(...context.support.counts), '/context/weights')
      const served = await run(rows, bytesOf(request, outline, context, entries), call, () => layOut(request, outline, context, entries, call))
      const states = statesOf(served, outline)
      return {
        output: served.output === undefined ? states.h_out : new Tensor(batched ? [rows, steps, Ho] : [steps, Ho], served.output.data),
        ...states,
        ...weightsOf(served, outline)
      }
    }),

    stream: (request, call = unboundCall()) => namingStream(name, async function * () {
      const { outline, context } = outlineAll(request)
      const { rows } = outline
      const room = request.return === 'last' ? 0 : streamRoom(outline, Ho)
      const window = room === 0 ? undefined : createOutputWindow(outline.steps, outline.lengths, room)
      let served: Served | undefined
      const done = run(rows, bytesOf(request, outline, context, room), call, () => {
        served = layOut(request, outline, context, room, call, window)
        return served
      })
      if (window !== undefined && served !== undefined) yield * readSteps(served, window, done, outline, call)
      yield [statesOf(await done, outline)]
    }),

    close: async () => { await policy.policy.close?.() }
  }
}

/** The wired cell, and the bare one for steps if it is not the same. */
function networkOf (cell: Cell, { wiring, vectors }: Policy): Network {
  const [bare] = bareCell(cell).stages
  if (wiring === undefined) return { stages: [bare] }
  const inputs = vectors === undefined ? bare.inputs : [...bare.inputs, { name: 'vectors', width: vectors }]
  const wired: Stage = { ...bare, name: 'sequence', inputs, wiring }
  return { stages: wiring.h === 'own' && !wiring.residual && wiring.read === undefined && wiring.lets.length === 0 ? [wired] : [wired, bare] }
}

function statesOf ({ states, next }: Served, { batched, rows }: Outline): SequenceStates {
  const tensor = (data: Float32Array): Tensor => new Tensor(batched ? [rows, data.length / rows] : [data.length], data)
  return {
    h_out: tensor(states.get('h0')),
    c_out: tensor(states.get('c0')),
    ...(next !== undefined && { h_next: tensor(states.get(next)) })
  }
}

/** `[B][T][N]`: for each step the weights of the read that fed it, so not those of the last read. */
function weightsOf ({ attention }: Served, { rows, steps, lengths, batched }: Outline): { weights?: Tensor } {
  if (attention === undefined) return {}
  const { data, entries, width } = attention
  const weights = new Float32Array(rows * steps * width)
  lengths.forEach((length, row) => weights.set(data.subarray(row * entries * width, (row * entries + length) * width), row * steps * width))
  return { weights: new Tensor(batched ? [rows, steps, width] : [steps, width], weights) }
}

/** @throws InputError if an answer would have too many numbers; `path` is the field that asks for them. */
function checkAnswerSize (numbers: number, path: string): void {
  if (numbers > MAX_ANSWER) throw unprocessable(path, `the answer would have ${numbers} numbers, more than the ${MAX_ANSWER} allowed`)
}

function checkRows ({ rows }: Outline, maxSteps: number): void {
  if (rows > maxSteps) throw unprocessable('/x', `${rows} rows are more than the ${maxSteps} steps allowed in one request`)
}

/** Has every error of a caller say which model it came from. */
async function naming<T> (model: string, answer: () => Promise<T>): Promise<T> {
  try {
    return await answer()
  } catch (error) {
    throw named(error, model)
  }
}

async function * namingStream<T> (model: string, answer: () => AsyncGenerator<T, void>): AsyncGenerator<T, void> {
  try {
    yield * answer()
  } catch (error) {
    throw named(error, model)
  }
}

function named (error: unknown, model: string): unknown {
  if (error instanceof InputError) error.model = model
  return error
}
