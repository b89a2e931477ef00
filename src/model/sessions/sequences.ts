import { createHash } from 'node:crypto'
import { InputError, unprocessable } from '../../errors.ts'
import { unboundCall, type Call } from '../call.ts'
import type { Opening } from '../going-on.ts'
import type { Model } from '../model.ts'
import type { SequenceRequest } from '../request.ts'
import type { SessionStore } from './session.ts'
import { checkVersion, elsewhere, takeSteps } from './steps.ts'

/** A sequence with an id that its client has chosen, separate for each model and API key. */
export interface NamedSequence {
  readonly model: Model
  readonly owner: string | undefined
  /** A number and the text of its digits are different ids. */
  readonly id: string | bigint
}

/** What a request asks of a sequence. */
export interface SequencePart {
  /** Begin it, even if there is already one with that id. */
  readonly start: boolean
  /** End it, once the steps are taken. */
  readonly end: boolean
  /** Where it begins. */
  readonly opening: Opening
  /** Left out if the request only ends it. */
  readonly steps: SequenceRequest | undefined
  /** Whether the answer is for a single step. */
  readonly one: boolean
  /** How many steps the client expects to have been taken before; a request that says so is safe to send again. */
  readonly t?: number | undefined
  /** Returns a hash of the request's bytes. */
  digest (): string
}

/**
 * Takes the steps that a request asks of a sequence, which is a session of the store. A request that fails leaves it unchanged: even a
 * failed beginning does not end the sequence before it.
 *
 * @throws InputError if it has not begun, or has ended.
 */
export async function takePart (store: SessionStore, sequence: NamedSequence, part: SequencePart, call: Call = unboundCall()): Promise<object> {
  return part.start ? await begin(store, sequence, part, call) : await goOn(store, sequence, part, call)
}

async function begin (store: SessionStore, sequence: NamedSequence, { opening, steps, one, end, t = 0 }: SequencePart, call: Call): Promise<object> {
  const { model, owner } = sequence
  const id = sessionId(sequence)
  if (t !== 0) throw elsewhere(0, t)
  const going = model.open(opening)
  let kept = false
  try {
    call.reservation?.hold(going.bytes)
    const { answer, row } = steps === undefined ? { answer: { t: 0 }, row: going.row } : await model.advance(going, steps, one, call)
    if (end) await endIfThere(store, id, owner)
    else await store.create({ id, model, owner, going: { ...going, row } })
    kept = !end
    return answer
  } finally {
    if (!kept) going.context?.dispose()
  }
}

async function goOn (store: SessionStore, sequence: NamedSequence, { opening, steps, one, end, t, digest }: SequencePart, call: Call): Promise<object> {
  const { owner } = sequence
  const [first] = Object.keys({ ...opening, ...Object(opening.context) }).filter((name) => name !== 'context')
  if (first !== undefined) throw unprocessable(`/${first}`, 'says where a sequence begins: send it with sequence_start')
  const id = sessionId(sequence)
  try {
    const session = steps === undefined ? await store.get(id, owner, t) : await store.recall(id, owner, t)
    checkVersion(session, sequence.model)
    const answer = steps === undefined
      ? { t: session.going.row.t }
      : await takeSteps(store, session, { t, digest }, async ({ model, going }) => await model.advance(going, steps, one, call))
    if (end) await store.end(id, owner)
    return answer
  } catch (error) {
    throw ofSequence(error, sequence)
  }
}

async function endIfThere (store: SessionStore, id: string, owner: string | undefined): Promise<void> {
  try {
    await store.end(id, owner)
  } catch (error) {
    if (!(error instanceof InputError) || (error.kind !== 'unknown' && error.kind !== 'ended')) throw error
  }
}

/** Rewords an error so that it names the sequence that the client knows. */
function ofSequence (error: unknown, { id, model }: NamedSequence): unknown {
  if (!(error instanceof InputError) || (error.kind !== 'unknown' && error.kind !== 'ended')) return error
  const name = `sequence ${typeof id === 'bigint' ? id : JSON.stringify(id.slice(0, 80))}`
  const message = error.kind === 'unknown'
    ? `there is no ${name}: send sequence_start with its first request`
    : `${error.message.replace('the session', name)}; sequence_start begins it again`
  const about = new InputError(error.kind, { path: '', message })
  about.model = model.name
  return about
}

/** The id of its session: the same on every replica, and different for every other sequence. */
function sessionId ({ model, owner, id }: NamedSequence): string {
  return createHash('sha256').update(JSON.stringify([model.name, owner ?? null, typeof id, String(id)])).digest('base64url').slice(0, 22)
}
