import { InputError } from '../../errors.ts'
import { Tensor } from '../../tensor/tensor.ts'
import type { KeptRow } from '../kept-row.ts'
import type { Advanced } from '../kept-rows.ts'
import type { Model } from '../model.ts'
import { REPLACED, type Session, type SessionStore } from './session.ts'

/** Which steps a request asks for. */
export interface Asked {
  /** How many steps the request expects to have been taken before; if left out, any number. */
  readonly t?: number | undefined
  /** Returns a hash of its bytes, which takes some time. */
  digest (): string
}

/**
 * Takes a session's steps: all of them, or it stays where it was. Steps that the same bytes have already taken get the same answer
 * again.
 *
 * @param compute computes the steps from the session's current state.
 * @throws InputError if the session is not where the request expects it to be, or another request's step came first.
 */
export async function takeSteps (store: SessionStore, session: Session, asked: Asked, compute: (session: Session) => Promise<Advanced>): Promise<object> {
  const { t } = session.going.row
  if (asked.t !== undefined && asked.t !== t) return again(session, asked)
  const release = await store.hold(session)
  try {
    const { answer, row } = await compute(session)
    // Without a t, nobody can ask for the steps again.
    const taken = asked.t === undefined ? undefined : { before: t, digest: asked.digest(), answer, bytes: bytesOf(answer) }
    if (await store.advance(session, row, taken)) return answer
    const now = await store.get(session.id, session.owner, asked.t)
    // A sequence that another request has begun again may be at the same t.
    if (session.remembered === true && now.going.row.t === t) return await takeSteps(store, now, asked, compute)
    if (taken === undefined) throw elsewhere(now.going.row.t)
    return again(now, asked)
  } finally {
    release()
  }
}

/** Like `takeSteps`, but answers steps as they are taken and does not keep the answers. A stream that ends early leaves the session where it was. */
export async function * streamSteps (
  store: SessionStore, session: Session, asked: Asked, compute: (session: Session) => AsyncGenerator<readonly object[], KeptRow>
): AsyncGenerator<readonly object[], void> {
  const { t } = session.going.row
  if (asked.t !== undefined && asked.t !== t) throw elsewhere(t, asked.t)
  const release = await store.hold(session)
  try {
    const row = yield * compute(session)
    if (!await store.advance(session, row)) throw elsewhere((await store.get(session.id, session.owner)).going.row.t)
    yield [{ t: row.t }]
  } finally {
    release()
  }
}

/** @throws InputError if the session belongs to another version of the model than the one that answers, which has replaced it. */
export function checkVersion (session: Session, model: Model): void {
  if (session.model !== model) throw new InputError('ended', { path: '', message: `the session has ended: ${REPLACED}` })
}

function again (session: Session, asked: Asked): object {
  const { last } = session
  if (last !== undefined && last.before === asked.t && last.digest === asked.digest()) return last.answer
  throw elsewhere(session.going.row.t, asked.t)
}

/** The error if a row has taken `t` steps and the request is for `asked`; if that is left out or negative, another request has advanced the row. */
export function elsewhere (t: number, asked = -1): InputError {
  const what = asked < 0 ? 'another request has advanced it in the meantime' : `the request is for t = ${asked}`
  return new InputError('conflict', { path: '', message: `the session has taken ${t} steps: t = ${t}, and ${what}` })
}

function bytesOf (answer: object): number {
  return Object.values(answer).reduce<number>((sum, value: unknown) => {
    if (value instanceof Tensor) return sum + value.data.byteLength
    return sum + (typeof value === 'object' && value !== null ? bytesOf(value) : 0)
  }, 0)
}
