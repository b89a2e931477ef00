import { InputError } from '../errors.ts'
import { TAPS } from '../network/network.ts'
import { compile } from '../tensor/schema.ts'
import { outputAnswer, partsAnswer, stepAnswer, yAnswer, type SequenceStep } from './answers.ts'
import { unboundCall, type Call } from './call.ts'
import { createContextReader } from './context.ts'
import { checkGoesOn, checkKept, contextBytes, lazyContext, ONE_ROW, readRows, type Going, type KeptContext, type Opening } from './going-on.ts'
import type { KeptRow } from './kept-row.ts'
import type { LoadedModel } from './loaded-model.ts'
import { naming, namingStream } from './naming.ts'
import type { Planner } from './plan.ts'
import { checkWiredStep, type SequenceRequest } from './request.ts'
import { beginRows } from './rows.ts'
import type { Runner } from './runner.ts'

/** Rows of a model that somebody keeps between requests, as sessions do. */
export interface KeptRows {
  /**
   * Begins a row.
   *
   * @param blank whether what the model needs may come later.
   * @throws InputError
   */
  open (request: Opening, blank?: boolean): Going
  /** A row that was kept elsewhere, and its context as it came. @throws InputError if the context does not fit the model. */
  resume (row: KeptRow, given: unknown): Going
  /** Takes a row further, one step or many; what is kept stays as it is. @throws InputError */
  advance (going: Going, request: SequenceRequest, one: boolean, call?: Call): Promise<{ answer: object, row: KeptRow }>
  /** The same as it is computed; each step's `t` is then how many the row has taken. */
  follow (going: Going, request: SequenceRequest, call?: Call): AsyncGenerator<readonly SequenceStep[], KeptRow>
  /** A token of a row. */
  token (row: KeptRow): string
}

const BYTES = Float32Array.BYTES_PER_ELEMENT
/** What a kept row takes beside its numbers. */
const SESSION_BYTES = 1024

export function createKeptRows ({ name, network, shape, policy, parts, queues: [{ program }], tokens }: LoadedModel, planner: Planner, runner: Runner): KeptRows {
  const readContext = createContextReader(policy)
  const judgeContext = compile(policy.context)

  /** @throws InputError if the context does not fit the model. */
  function keepContext (given: unknown): KeptContext {
    checkKept(given)
    judgeContext(given, '/context')
    return lazyContext(given, readContext(given, ONE_ROW), ({ data, counts }) => network.remember(0, data, counts))
  }

  /** @throws InputError if the context does not fit the model. */
  function goFrom (row: KeptRow, given: unknown): Going {
    const context = given === undefined ? undefined : keepContext(given)
    const supports = context?.context.support?.counts[0] ?? 0
    // Of what a step is asked for, all but taps: they are many numbers, and few ask for them.
    const room = BYTES * (shape.output + shape.sequence.y + supports + parts.reduce((sum, { name, width = 0 }) => sum + (TAPS.some((tap) => tap === name) ? 0 : width), 0))
    const bytes = SESSION_BYTES + BYTES * (program.state.width + supports * program.readWork) + contextBytes(given) + room
    return { row, context, bytes, room }
  }

  return {
    open (request, blank = false) {
      checkGoesOn(shape, policy, '')
      const rows = readRows(request, ONE_ROW, tokens)
      // A row without its context could take no step.
      if (!blank && request.context === undefined) judgeContext({}, '/context')
      const { states: [{ data }], given, seen } = beginRows(request, [program], shape, policy, 1)
      return goFrom(rows?.[0] ?? { t: 0, given, seen, state: data }, request.context)
    },

    resume: goFrom,

    advance: (going, request, one, call = unboundCall()) => naming(name, async () => {
      if (one) checkWiredStep(request, shape)
      const steps = one ? { ...request, steps: 1 } : request
      const asked = going.context === undefined ? steps : { ...steps, context: going.context.given }
      const plan = planner.sequence(asked, false, going)
      const { outline } = plan
      const served = await runner.sequence(asked, plan, call)
      const { t: _, ...step } = one ? stepAnswer(served, 0, outline) : { t: 0, output: outputAnswer(served, outline, shape, plan.entries > 0), ...yAnswer(served, outline, asked.return_sequences !== false), ...partsAnswer(served.parts, outline) }
      return { answer: step, row: served.keep()[0] }
    }),

    follow: (going, request, call = unboundCall()) => namingStream(name, async function * () {
      const asked = { ...request, ...(going.context !== undefined && { context: going.context.given }) }
      const lines = runner.steps(asked, planner.sequence(asked, true, going), call)
      let next = await lines.next()
      try {
        for (; next.done !== true; next = await lines.next()) yield next.value.map((step) => ({ ...step, t: going.row.t + step.t + 1 }))
      } finally {
        if (next.done !== true) await lines.throw(new InputError('gone', { path: '', message: 'the caller has gone' })).catch(() => {})
      }
      return next.value.keep()[0]
    }),

    token: (row) => tokens.write(row)
  }
}
