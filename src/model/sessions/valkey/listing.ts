import { InputError } from '../../../errors.ts'
import type { Connection } from './connection.ts'
import { ENTER, SETTLE } from './scripts.ts'

/** Which sessions there are. It learns late which of them have ended: it asks for each once its time has gone. */
export interface Index {
  /** @throws InputError if there is no room for another session. */
  enter (id: string, list: string, idle: number): Promise<void>
  /** Has an entry leave that has no time left, and looks at others again once theirs has gone. */
  settle (id: string, list: string, left: number): Promise<void>
  /** Sessions of a list from a place on, some of which may have ended, and where the next page begins. */
  page (list: string, from: number, limit: number): Promise<{ ids: readonly string[], next: number | undefined }>
}

export function createIndex (connection: Connection, maxSessions: number): Index {
  // Of one hash tag: a script takes them together.
  const due = 'cellserve:{sessions}:due'
  const keysOf = (list: string): readonly string[] => [due, 'cellserve:{sessions}:made', `cellserve:{sessions}:of:${list}`]

  async function settle (id: string, list: string, left: number): Promise<void> {
    await connection.run(SETTLE, keysOf(list), [`${id} ${list}`, id, left])
  }

  /** @param entries whose time has gone, maybe because somebody has used them. */
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
