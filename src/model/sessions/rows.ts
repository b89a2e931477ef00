import { unprocessable } from '../../errors.ts'
import type { Call, Reservation } from '../call.ts'
import type { Going, Opening } from '../going-on.ts'
import type { Steps } from '../kept-rows.ts'
import type { Model } from '../model.ts'
import type { SessionStore } from './session.ts'
import { checkVersion, elsewhere, takeSteps } from './steps.ts'

/** What one message asks of a row: where it begins, if it begins, and steps, if it takes any. */
export interface RowRequest extends Omit<Steps, 'fields'>, Omit<Opening, 'state'> {
  /** Begin again, even if the row has taken steps. */
  readonly begin?: boolean
  /** A token to continue from, or `true` to ask for a token of the row. */
  readonly state?: string | boolean
  /** How many steps the client expects to have been taken before. */
  readonly t?: number
}

/** A row that advances message by message, and that nobody else advances through this object. */
export interface Row {
  /**
   * Takes all the steps of a message; if that fails, the row stays where it was.
   *
   * @param digest returns a hash of the message's bytes.
   * @throws InputError
   */
  take (request: RowRequest, digest: () => string, call: Call): Promise<object>
  /** Releases what it holds. Call it once no message is in progress. */
  close (): void
}

/** Opens a row that lives until it is closed. */
export function openRow (model: Model, reserve: () => Reservation): Row {
  let held = hold({})
  let begun = false

  function hold (opening: Opening): { going: Going, end: () => void } {
    const going = model.open(opening, true)
    const reservation = reserve()
    const end = (): void => {
      going.context?.dispose()
      reservation.release()
    }
    try {
      reservation.hold(going.bytes)
      return { going, end }
    } catch (error) {
      end()
      throw error
    }
  }

  return {
    async take (request, _digest, call) {
      const { t, begin = false, state, steps } = partsOf(request)
      const opening = openingOf(request)
      const [first] = Object.keys(opening)
      if (first !== undefined && begun && !begin) {
        throw unprocessable(`/${first}`, `says where a row begins, and this one has taken ${held.going.row.t} steps: send "begin": true with it to begin anew`)
      }
      const fresh = first !== undefined || begin ? hold(opening) : undefined
      try {
        const { going } = fresh ?? held
        if (t !== undefined && t !== going.row.t) throw elsewhere(going.row.t, t)
        const nothing = !asksForSteps(steps) && (fresh !== undefined || state === true)
        const { answer, row } = nothing ? { answer: { t: going.row.t }, row: going.row } : await model.advance(going, steps, isOne(steps), call)
        if (fresh !== undefined) {
          held.end()
          held = fresh
          begun = false
        }
        // A connection can last long, so it reuses the memory that it has.
        const { row: { state: kept }, context, bytes, room } = going
        kept.set(row.state)
        held.going = { row: { t: row.t, given: row.given, seen: row.seen, state: kept }, context, bytes, room }
        begun ||= !nothing
        return state === true ? { ...answer, state: model.token(row) } : answer
      } catch (error) {
        if (fresh !== held) fresh?.end()
        throw error
      }
    },
    close: () => held.end()
  }
}

/** The row of a session of this model, which others can advance, too. */
export function sessionRow (store: SessionStore, model: Model, id: string, owner: string | undefined): Row {
  return {
    async take (request, digest, call) {
      const { t, begin, state, steps } = partsOf(request)
      const [first] = [...Object.keys(openingOf(request)), ...(begin === true ? ['begin'] : [])]
      if (first !== undefined) throw unprocessable(`/${first}`, 'says where a row begins, and this is the row of a session, which has begun')
      const asksForToken = !asksForSteps(steps) && state === true
      const session = asksForToken ? await store.get(id, owner, t) : await store.recall(id, owner, t)
      checkVersion(session, model)
      if (asksForToken) return { t: session.going.row.t, state: session.model.token(session.going.row) }
      return await takeSteps(store, session, { t, digest: () => `stream ${digest()}` }, async ({ model, going }) => {
        const { answer, row } = await model.advance(going, steps, isOne(steps), call)
        return { answer: state === true ? { ...answer, state: model.token(row) } : answer, row }
      })
    },
    close () {}
  }
}

function partsOf ({ t, begin, state, x, ids, steps, parts, return_sequences: sequences }: RowRequest): { t: number | undefined, begin: boolean | undefined, state: RowRequest['state'], steps: Steps } {
  return {
    t,
    begin,
    state,
    steps: { x, ids, steps, parts, return_sequences: sequences }
  }
}

/** The fields that say where a row begins. */
function openingOf ({ h_in: hIn, c_in: cIn, h_0: h0, context, state }: RowRequest): Opening {
  return {
    ...(hIn !== undefined && { h_in: hIn }),
    ...(cIn !== undefined && { c_in: cIn }),
    ...(h0 !== undefined && { h_0: h0 }),
    ...(context !== undefined && { context }),
    ...(typeof state === 'string' && { state })
  }
}

function asksForSteps ({ x, ids, steps }: Steps): boolean {
  return x !== undefined || ids !== undefined || steps !== undefined
}

/** Whether a message sends a single step, `[I]` or an id, so that its answer is for one step. */
function isOne ({ x, ids, steps }: Steps): boolean {
  return steps === undefined && (typeof ids === 'number' || x?.rank === 1)
}
