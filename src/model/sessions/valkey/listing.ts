import { InputError } from '../../../errors.ts'
import type { Connection } from './connection.ts'
import { ENTER, SETTLE } from './scripts.ts'

/** An index of all sessions. It learns late which of them have ended: it checks each one once its time is up. */
export interface Index {
  /** @throws InputError if there is no room for another session. */
  enter (id: string, list: string, idle: number): Promise<void>
  /** Removes an entry that has no time left; others are checked again once their time is up. */
  settle (id: string, list: string, left: number): Promise<void>
  /** Sessions of a list, starting from a place, some of which may have ended, and where the next page begins. */
  page (list: string, from: number, limit: number): Promise<{ ids: readonly string[], next: number | undefined }>
}

export function createIndex (connection: Connection, maxSessions: number): Index {
  // The keys share a hash tag, because a script uses them together.
  const due = 'cellserve:{sessions}:due'
  const keysOf = (list: string): readonly string[] => [due, 'cellserve:{sessions}:made', `cellserve:{sessions}:of:${list}`]

  async function settle (id: string, list: string, left: number): Promise<void> {
    await connection.run(SETTLE, keysOf(list), [`${id} ${list}`, id, left])
  }

  /** @param entries entries whose time is up, unless somebody has used their sessions since. */
  async function review (entries: readonly Buffer[]): Promise<void> {
    await Promise.all(entries.map(async (entry) => {
      const text = String(entry)
      const [id] = text.split(' ', 1)
      await settle(id, text.slice(id.length + 1), await connection.left(`cellserve:{${id}}:row`))
    }))
  }

  return {
    async enter (id, list, idle) {
      for (;;) {
        const [room, count, ...entries] = await connection.run(ENTER, keysOf(list), [maxSessions, `${id} ${list}`, id, idle])
        if (String(room) === 'room') {
          review(entries).catch(() => {})
          return
        }
        if (entries.length === 0) throw new InputError('unavailable', { path: '', message: `no room for another session: ${String(count)} of ${maxSessions} live` })
        await review(entries)
      }
    },
    settle,
    async page (list, from, limit) {
      const members = await connection.range(keysOf(list)[2], from, limit + 1)
      const ids = members.filter((_, i) => i % 2 === 0).map(String)
      return { ids: ids.slice(0, limit), next: ids.length > limit ? Number(members[2 * limit + 1]) : undefined }
    }
  }
}
