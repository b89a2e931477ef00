import { InputError, unprocessable } from '../errors.ts'
import type { Engine, Memory } from '../engine/engine.ts'
import type { Cell } from '../network/cell.ts'
import type { Layers } from '../network/layers.ts'
import type { StateLayout } from '../network/state.ts'
import type { Admission } from '../scheduler/admission.ts'
import { createOutputWindow } from '../scheduler/output-window.ts'
import type { Scheduler } from '../scheduler/scheduler.ts'
import { createStageQueue } from '../scheduler/stage-queue.ts'
import { compile } from '../tensor/schema.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { outputAnswer, partsAnswer, statesAnswer, stepAnswer, stepY, yAnswer, type SequenceAnswer, type SequenceStates, type SequenceStep, type StepAnswer } from './answers.ts'
import { unboundCall, type Call } from './call.ts'
import { createContextReader, type Context } from './context.ts'
import { checkGoesOn, checkKept, contextBytes, lazyContext, ONE_ROW, readRows, stateAnswer, wantsState, type Going, type KeptContext, type Opening } from './going-on.ts'
import type { KeptRow } from './kept-row.ts'
import { countAll, describeWiring, joinStates, type DescribedWiring } from './describe.ts'
import { answerBytes, checkAnswerSize } from './limits.ts'
import type { ModelInput } from './input.ts'
import { createServedNetwork, type Shape } from './network.ts'
import type { NamedPolicy } from './policies/policies.ts'
import type { Hosting } from './policies/policy.ts'
import { checkWiredStep, outlineSequence, outlineStep, type Outline, type SequenceRequest, type StepRequest } from './request.ts'
import { readSteps, streamRoom } from './stream.ts'
import { createTokens } from './tokens.ts'
import { beginRows, outputWidth, serveSequence, serveStep, type Served } from './tasks.ts'

/** A network, its policy, its rows. */
export interface Model {
  readonly name: string
  /** Its config.json says that it answers if a request names none. */
  readonly isDefault: boolean
  /** A hash of its files. */
  readonly version: string
  /** What all its cells are. */
  readonly cell: Pick<Cell, 'kind' | 'activation' | 'gate'>
  readonly shape: Shape
  /** What its cells' outputs are projected to, if they are. */
  readonly projSize: number | undefined
  readonly policy: NamedPolicy
  /** What stands in front of the cells. */
  readonly input: ModelInput | undefined
  /** The `readout` of `config.json`, for people. */
  readonly readout: unknown
  /** What the policy stands for; nothing if only the client knows what feeds the next step. */
  readonly wiring: DescribedWiring | undefined
  /** The parts that a sequence can answer, except `attention`, and their widths. */
  readonly parts: ReadonlyArray<{ readonly name: string, readonly width: number }>
  /** What a row keeps between two steps. */
  readonly state: StateLayout
  readonly engine: Pick<Engine, 'name' | 'backend'>
  readonly parameters: number
  /** The names of tensors in its file that neither its network nor its policy uses. */
  readonly unusedTensors: readonly string[]
  /** One step of the bare network. @throws InputError */
  step (request: StepRequest, call?: Call): Promise<StepAnswer>
  /** Many steps with the wiring's feedback between them. @throws InputError */
  sequence (request: SequenceRequest, call?: Call): Promise<SequenceAnswer>
  /**
   * The same while it is computed: the steps, some at a time, then the states. It goes no faster than it is read.
   *
   * @throws InputError, the first time that it is asked or later.
   */
  stream (request: SequenceRequest, call?: Call): AsyncGenerator<ReadonlyArray<SequenceStep | SequenceStates>, void>
  /** Begins a row that somebody keeps. @throws InputError */
  open (request: Opening): Going
  /** A row that was kept elsewhere, and its context as it came. @throws InputError if the context does not fit the model. */
  resume (row: KeptRow, given: unknown): Going
  /** Takes a kept row further, one step or many; what is kept stays as it is. @throws InputError */
  advance (going: Going, request: SequenceRequest, one: boolean, call?: Call): Promise<{ answer: object, row: KeptRow }>
  /** The same as it is computed; each step's `t` is then how many the row has taken. */
  follow (going: Going, request: SequenceRequest, call?: Call): AsyncGenerator<readonly SequenceStep[], KeptRow>
  /** A token of a kept row. */
  token (row: KeptRow): string
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
  readonly version: string
  readonly layers: Layers
  readonly policy: NamedPolicy
  readonly input?: ModelInput | undefined
  /** The `readout` of `config.json`, which is among what the policy has. */
  readonly readout?: unknown
  readonly unusedTensors?: readonly string[]
}

const BYTES = Float32Array.BYTES_PER_ELEMENT
/** What a kept row takes beside its numbers. */
const SESSION_BYTES = 1024

/** @throws RangeError if the cells and the wiring do not fit each other. */
export function createModel ({ name, isDefault = false, version, layers, policy: chosen, input, readout, unusedTensors = [] }: ModelParts, deps: ModelDeps): Model {
  const { policy } = chosen
  const { engine, scheduler, admission, maxSteps, maxWork, batchRows } = deps
  const { network, passes, bare: bareStage, shape } = createServedNetwork(layers, policy, input)
  const loaded = engine.load(network)
  const all = network.stages.map((_, index) => createStageQueue(loaded, index, { name, batchRows, budget: engine.budget }))
  const queues = all.slice(0, passes)
  const bare = bareStage === undefined ? undefined : all[bareStage]
  const [{ program }] = queues
  const readContext = createContextReader(policy)
  const judgeContext = compile(policy.context)
  const tokens = createTokens(name, version, program.state)
  const width = network.stages.slice(0, passes).reduce((sum, _, i) => sum + all[i].program.state.width, 0)

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

  /** What becomes of a sequence's steps: how many of them are kept. */
  interface Plan {
    readonly outline: Outline
    readonly context: Context
    /** The rows that go on. */
    readonly from: readonly KeptRow[] | undefined
    /** What somebody keeps of the context's support. */
    readonly memory: Memory | undefined
    readonly entries: number
    readonly yEntries: number
    readonly partEntries: number
  }

  function plan (request: SequenceRequest, streamed: boolean, going?: Going): Plan {
    if (wantsState(request)) checkGoesOn(shape, policy, '/state')
    const outline = outlineSequence(request, shape, maxSteps)
    const context = going?.context?.context ?? readContext(request.context === undefined ? {} : request.context, outline)
    const from = going === undefined ? readRows(request, outline, tokens) : [going.row]
    const { rows, steps, field } = outline
    if (steps > 1 && policy.wiring === undefined && shape.hIn !== shape.hOut) throw needsPolicy(steps, field)
    checkWork(outline, context)
    const all = request.return_sequences !== false
    const asksFor = (field: string): boolean => request.fields?.includes(field) !== false
    const y = asksFor('y') ? shape.sequence.y : 0
    const room = streamed ? streamRoom(outline, shape.output + y) : steps
    // Nobody sees outputs that are not among the fields.
    const entries = all && asksFor('output') ? room : 0
    const yEntries = y === 0 ? 0 : all ? room : 1
    const partEntries = all ? room + 1 : 1
    checkAnswerSize(rows * Math.max(entries * shape.output, yEntries * y), field)
    for (const [i, part] of (request.parts ?? []).entries()) checkAnswerSize(rows * partEntries * partWidth(part, context), `/parts/${i}`)
    return { outline, context, from, memory: going?.context?.memory, entries, yEntries, partEntries }
  }

  function needsPolicy (steps: number, field: string): InputError {
    return unprocessable(field, `${steps} steps need a feedback policy to make each h_in (Hi = ${shape.Hi}) from the last h_out (Ho = ${shape.Ho}), ` +
      'and this model has none: send one step at a time, to /step, or give the model a policy in its config.json')
  }

  function checkWork ({ rows, steps, field }: Outline, { support }: Context): void {
    const supports = support === undefined ? 0 : Math.max(...support.counts)
    const step = queues.reduce((sum, queue) => sum + queue.program.work, supports * program.readWork)
    const work = rows * (steps + 1) * step
    if (work <= maxWork) return
    throw unprocessable(supports === 0 ? field : '/context/support', `${rows} rows of ${steps} steps${supports === 0 ? '' : `, each reading ${supports} supports,`} are ` +
      `${work} multiply-adds, more than the ${maxWork} allowed in one request`)
  }

  function partWidth (part: string, { support }: Context): number {
    if (part === 'attention') return Math.max(...support?.counts ?? [0])
    return program.outputs.find((output) => output.name === part)?.width ?? 0
  }

  /** Bytes of a request's memory, its states, and what is kept of its steps. What came is counted already, except for padding. */
  function bytesOf (request: SequenceRequest, { outline: { rows, steps, repeated }, context, entries, yEntries, partEntries }: Plan): number {
    const { support, vectors } = context
    const total = support?.counts.reduce((a, b) => a + b, 0) ?? 0
    // A memory has the supports as they came, and their keys and values.
    const held = paddingOf(request.x) + paddingOf(vectors?.tensor) + total * program.readWork
    const parts = (request.parts ?? []).reduce((sum, part) => sum + partEntries * partWidth(part, context), 0)
    const outputs = shape.directions === 2 ? steps * queues.reduce((sum, queue) => sum + outputWidth(queue.program), 0) : entries * shape.output
    const ys = (shape.directions === 2 && yEntries > 0 ? steps : yEntries) * shape.sequence.y
    // Where the rows of the embedding are that ids stand for.
    const places = request.ids === undefined ? 0 : rows * (repeated ? 1 : steps)
    const kept = wantsState(request) ? 3 * rows * tokens.bytes : 0
    return kept + BYTES * (held + places + rows * width) + answerBytes(rows * (outputs + ys + parts + shape.hIn + shape.hOut + 2 * shape.c))
  }

  const serve = (request: SequenceRequest, { outline, context, from, memory, entries, yEntries, partEntries }: Plan, call: Call, window?: Served['task']['window']): Served =>
    serveSequence(request, outline, { network: loaded, shape, queues, policy, context, from, memory, entries, yEntries, partEntries, window }, call)

  /** A step of the wiring: a sequence of one. */
  async function wiredStep (request: StepRequest, call: Call): Promise<StepAnswer> {
    checkWiredStep(request, shape)
    const one: SequenceRequest = { ...request, steps: 1, fields: [] }
    const planned = plan(one, false)
    const { outline } = planned
    const served = await run(outline.rows, bytesOf(one, planned), call, () => serve(one, planned, call))
    const { h_next: _, ...states } = statesAnswer(served, shape, outline)
    return { ...states, ...stateAnswer(one, outline, served.keep, tokens) }
  }

  /** The steps of a sequence, some at a time; none if only the last is asked for. */
  async function * steps (request: SequenceRequest, planned: Plan, call: Call): AsyncGenerator<readonly SequenceStep[], Served> {
    const { outline, partEntries, entries, yEntries } = planned
    const lines = request.return_sequences !== false
    const window = lines && shape.directions === 1 ? createOutputWindow(outline.steps, outline.lengths, Math.max(entries, yEntries, partEntries - 1)) : undefined
    let served: Served | undefined
    const done = run(outline.rows, bytesOf(request, planned), call, () => {
      served = serve(request, planned, call, window)
      return served
    })
    if (window !== undefined && served !== undefined) yield * readSteps(served, window, done, outline, call)
    const whole = await done
    // A direction that runs backwards has no step before it has the last one.
    if (lines && window === undefined) for (let t = 0; t < outline.steps; t++) yield [stepAnswer(whole, t, outline)]
    return whole
  }

  /** @throws InputError if the context does not fit the model. */
  function keepContext (given: unknown): KeptContext {
    checkKept(given)
    judgeContext(given, '/context')
    return lazyContext(given, readContext(given, ONE_ROW), ({ data, counts }) => loaded.remember(0, data, counts))
  }

  /** @throws InputError if the context does not fit the model. */
  function goFrom (row: KeptRow, given: unknown): Going {
    const context = given === undefined ? undefined : keepContext(given)
    const supports = context?.context.support?.counts[0] ?? 0
    const room = BYTES * (shape.output + supports + program.outputs.reduce((sum, output) => sum + output.width, 0))
    const bytes = SESSION_BYTES + BYTES * (program.state.width + supports * program.readWork) + contextBytes(given) + room
    return { row, context, bytes, room }
  }

  return {
    name,
    isDefault,
    version,
    cell: layers.nodes[0][0].cell,
    shape,
    projSize: layers.nodes[0][0].projection?.out,
    policy: chosen,
    input,
    readout,
    wiring: describeWiring(policy),
    parts: program.outputs.filter(({ asked }) => asked).map(({ name, width }) => ({ name, width })),
    state: joinStates(queues.map((queue) => queue.program)),
    engine: { name: engine.name, backend: engine.backend },
    parameters: countAll(layers, policy, input),
    unusedTensors,

    step: (request, call = unboundCall()) => naming(name, async () => {
      if (wantsState(request)) return await wiredStep(request, call)
      if (request.context !== undefined) throw unprocessable('/context', 'is for a step with state: without it a step is one of the bare network, which reads none')
      if (bare === undefined) throw unprocessable('', 'the network has two directions, and the backward one starts from the end: send the whole sequence to /sequence')
      const outline = outlineStep(request, shape)
      const { rows, field } = outline
      if (rows > maxSteps) throw unprocessable(field, `${rows} rows are more than the ${maxSteps} steps allowed in one request`)
      const { y } = shape.step
      checkAnswerSize(rows * y, field)
      const places = request.ids === undefined ? 0 : rows
      const bytes = BYTES * (places + rows * bare.program.state.width) + answerBytes(rows * (y + shape.hIn + shape.hOut + 2 * shape.c))
      const served = await run(rows, bytes, call, () => serveStep(bare, shape, request, outline, call))
      return { ...statesAnswer(served, shape, outline), ...stepY(served, outline) }
    }),

    sequence: (request, call = unboundCall()) => naming(name, async () => {
      const planned = plan(request, false)
      const served = await run(planned.outline.rows, bytesOf(request, planned), call, () => serve(request, planned, call))
      return {
        output: outputAnswer(served, planned.outline, shape, planned.entries > 0),
        ...yAnswer(served, planned.outline, request.return_sequences !== false),
        ...statesAnswer(served, shape, planned.outline),
        ...stateAnswer(request, planned.outline, served.keep, tokens),
        ...partsAnswer(served.parts, planned.outline)
      }
    }),

    stream: (request, call = unboundCall()) => namingStream(name, async function * () {
      const planned = plan(request, shape.directions === 1)
      const { outline } = planned
      const whole = yield * steps(request, planned, call)
      yield [{ ...statesAnswer(whole, shape, outline), ...stateAnswer(request, outline, whole.keep, tokens) }]
    }),

    open (request) {
      checkGoesOn(shape, policy, '')
      const rows = readRows(request, ONE_ROW, tokens)
      const { states: [{ data }], given, seen } = beginRows(request, [program], shape, policy, 1)
      return goFrom(rows?.[0] ?? { t: 0, given, seen, state: data }, request.context)
    },

    resume: goFrom,

    advance: (going, request, one, call = unboundCall()) => naming(name, async () => {
      if (one) checkWiredStep(request, shape)
      const asked = { ...request, ...(one && { steps: 1 }), ...(going.context !== undefined && { context: going.context.given }) }
      const planned = plan(asked, false, going)
      const { outline } = planned
      const served = await run(1, bytesOf(asked, planned), call, () => serve(asked, planned, call))
      const { t: _, ...step } = one ? stepAnswer(served, 0, outline) : { t: 0, output: outputAnswer(served, outline, shape, planned.entries > 0), ...partsAnswer(served.parts, outline) }
      return { answer: step, row: served.keep()[0] }
    }),

    follow: (going, request, call = unboundCall()) => namingStream(name, async function * () {
      const asked = { ...request, ...(going.context !== undefined && { context: going.context.given }) }
      const lines = steps(asked, plan(asked, true, going), call)
      let next = await lines.next()
      try {
        for (; next.done !== true; next = await lines.next()) yield next.value.map((step) => ({ ...step, t: going.row.t + step.t + 1 }))
      } finally {
        if (next.done !== true) await lines.throw(new InputError('gone', { path: '', message: 'the caller has gone' })).catch(() => {})
      }
      return next.value.keep()[0]
    }),

    token: (row) => tokens.write(row),

    close: async () => { await policy.close?.() }
  }
}

/** Numbers that are allocated when ragged rows are padded. */
function paddingOf (tensor: Tensor | undefined): number {
  return tensor?.lengths === undefined ? 0 : tensor.size
}

/** Has every error of a caller say which model it came from. */
async function naming<T> (model: string, answer: () => Promise<T>): Promise<T> {
  try {
    return await answer()
  } catch (error) {
    throw named(error, model)
  }
}

async function * namingStream<T, R> (model: string, answer: () => AsyncGenerator<T, R>): AsyncGenerator<T, R> {
  try {
    return yield * answer()
  } catch (error) {
    throw named(error, model)
  }
}

function named (error: unknown, model: string): unknown {
  if (error instanceof InputError) error.model = model
  return error
}
