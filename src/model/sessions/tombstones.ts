import { TOMBSTONE, type REPLACED } from './session.ts'

/** Why a session has ended. */
export type Reason = 'deleted' | 'expired' | typeof REPLACED

/** Why sessions have ended. */
export interface Tombstones {
  bury (id: string, owner: string | undefined, reason: Reason): void
  /** Undefined if no session had that id and owner, or it ended long ago. */
  reasonOf (id: string, owner: string | undefined): Reason | undefined
  /** Forgets those whose time is up. */
  sweep (): void
}

interface Ended {
  readonly owner: string | undefined
  readonly reason: Reason
  readonly until: number
}

/** The most ended sessions whose reason is kept. */
const MOST = 100_000

/** @param now the clock, in milliseconds since 1970. */
export function createTombstones (now: () => number): Tombstones {
  /** Ordered by `until`. */
  const all = new Map<string, Ended>()

  return {
    bury (id, owner, reason) {
      all.delete(id)
      all.set(id, { owner, reason, until: now() + TOMBSTONE })
      const [oldest = id] = all.size > MOST ? all.keys() : []
      if (oldest !== id) all.delete(oldest)
    },
    reasonOf (id, owner) {
      const ended = all.get(id)
      return ended === undefined || ended.owner !== owner || ended.until <= now() ? undefined : ended.reason
    },
    sweep () {
      for (const [id, { until }] of all) {
        if (until > now()) break
        all.delete(id)
      }
    }
  }
}
