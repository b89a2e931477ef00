import { InputError } from '../errors.ts'
import { TAPS } from '../network/network.ts'
import { compile } from '../tensor/schema.ts'
import { numberedStep, outputAnswer, partsAnswer, yAnswer, type SequenceStep } from './answers.ts'
import { unboundCall, type Call } from './call.ts'
import { createContextReader } from './context.ts'
import { checkGoesOn, checkKept, contextBytes, lazyContext, ONE_ROW, readRows, type Going, type KeptContext, type Opening } from './going-on.ts'
import { ownRow, type KeptRow } from './kept-row.ts'
import type { LoadedModel } from './loaded-model.ts'
import { naming, namingStream } from './naming.ts'
import type { Planner } from './plan.ts'
import { checkWiredStep, type SequenceRequest } from './request.ts'
import { beginRows } from './rows.ts'
import type { Runner } from './runner.ts'

/** Rows of a model that are kept between requests, as in sessions. */
export interface KeptRows {
  /**
   * Begins a row, which can be kept.
   *
   * @param blank whether the context that the model needs can be sent later.
   * @throws InputError
   */
  open (request: Opening, blank?: boolean): Going
  /** Resumes a row that was kept elsewhere, with its context as it was sent. @throws InputError if the context does not fit the model. */
  resume (row: KeptRow, given: unknown): Going
  /**
   * Advances a row. The kept row itself does not change. To keep the resulting row, keep a copy of it.
   *
   * @param one whether the answer is for one step, not for many.
   * @throws InputError
   */
  advance (going: Going, steps: Steps, one: boolean, call?: Call): Promise<Advanced>
  /** Like `advance`, but yields the steps as they are computed; each step's `t` is how many steps the row has taken. */
  follow (going: Going, steps: Steps, call?: Call): AsyncGenerator<readonly SequenceStep[], KeptRow>
  /** A token for a row. */
  token (row: KeptRow): string
}

/** The steps that advance a kept row, as in a sequence. */
export type Steps = Pick<SequenceRequest, 'x' | 'ids' | 'steps' | 'parts' | 'fields' | 'return_sequences'>

export interface Advanced {
  /** `t` is how many steps the row has taken. The tensors of many steps begin with `[T]`. */
  readonly answer: SequenceStep & { readonly state?: string }
  readonly row: KeptRow
}

const BYTES = Float32Array.BYTES_PER_ELEMENT
/** How many bytes a kept row takes in addition to its numbers. */
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
    // Everything that a step can be asked for, except taps: they are many numbers, and few requests ask for them.
    const room = BYTES * (shape.output + shape.sequence.y + supports + parts.reduce((sum, { name, width = 0 }) => sum + (TAPS.some((tap) => tap === name) ? 0 : width), 0))
    const bytes = SESSION_BYTES + BYTES * (program.state.width + supports * program.readWork) + contextBytes(given) + room
    return { row, context, bytes, room }
  }

  return {
    open (request, blank = false) {
      checkGoesOn(shape, policy, '')
      const rows = readRows(request, ONE_ROW, tokens)
      // A row cannot take a step without its context.
      if (!blank && request.context === undefined) judgeContext({}, '/context')
      const { states: [{ data }], given, seen } = beginRows(request, [program], shape, policy, 1)
      return goFrom(ownRow(rows?.[0] ?? { t: 0, given, seen, state: data }), request.context)
    },

    resume: goFrom,

    advance: (going, steps, one, call = unboundCall()) => naming(name, async () => {
      if (one) checkWiredStep(steps, shape)
      const asked = sequenceOf(going, steps, one ? 1 : steps.steps)
      const plan = planner.sequence(asked, false, going)
      const { outline } = plan
      const served = await runner.sequence(asked, plan, call)
      const [row] = served.keep()
      const { t } = row
      if (one) return { answer: numberedStep(served, 0, t, outline), row }
      return { answer: { t, output: outputAnswer(served, outline, shape, plan.entries > 0), ...yAnswer(served, outline, asked.return_sequences !== false), ...partsAnswer(served.parts, outline) }, row }
    }),

    follow: (going, steps, call = unboundCall()) => namingStream(name, async function * () {
      const asked = sequenceOf(going, steps, steps.steps)
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

/** With each field listed, all these objects have one shape, which is faster than copying the request. */
function sequenceOf ({ context }: Going, { x, ids, parts, fields, return_sequences: sequences }: Steps, steps: number | undefined): SequenceRequest {
  return { x, ids, steps, parts, fields, return_sequences: sequences, context: context?.given }
}
