import type { Gone, Shelf } from '../shared/shelf.ts'
import type { Connection } from './connection.ts'
import { createIndex } from './listing.ts'
import { ADVANCE, CREATE, END, READ, TOUCH } from './scripts.ts'

/** @param maxSessions the most sessions in the store. */
export function createValkeyShelf (connection: Connection, maxSessions: number): Shelf {
  const index = createIndex(connection, maxSessions)

  return {
    async create (id, { owner, idle, model, version, held, row, stamp, named, context }) {
      const list = `${owner}:${model}`
      await index.enter(id, list, idle)
      try {
        await connection.run(CREATE, keysOf(id), [owner, idle, model, version, held, row, stamp, ...(context === undefined ? [] : [context])])
      } catch (error) {
        // If the id is named, an earlier session may have it, and lives on.
        if (!named) index.settle(id, list, -1).catch(() => {})
        throw error
      }
    },
    async read (id, owner, mode, t) {
      const reply = await connection.run(READ, keysOf(id), [owner, mode, ...(t === undefined ? [] : [t])])
      const [, model, version, idle, left, held, row, stamp, made, digest, answer] = reply
      return goneOf(reply) ?? {
        model: String(model), version: String(version), idle: Number(idle), left: Number(left), held: Number(held), row, stamp: String(stamp), made: String(made), digest: String(digest), answer
      }
    },
    context: async (id) => await connection.get(contextKey(id)),
    touch: async (id, owner, milliseconds) => goneOf(await connection.run(TOUCH, keysOf(id), [owner, milliseconds])),
    async advance (id, owner, { from, to, row, before, digest, answer }) {
      const reply = await connection.run(ADVANCE, keysOf(id), [owner, from, to, row, before ?? '', digest, answer])
      return String(reply[0]) === 'moved' ? 'moved' : goneOf(reply)
    },
    async end (id, owner) {
      const reply = await connection.run(END, keysOf(id), [owner])
      const gone = goneOf(reply)
      if (gone === undefined) await index.settle(id, `${owner}:${String(reply[1])}`, -1)
      return gone
    },
    page: async (model, owner, from, limit) => await index.page(`${owner}:${model}`, from, limit),
    close: () => connection.close()
  }
}

/** A script that did not find the session answers why. */
function goneOf ([status]: readonly Buffer[]): Gone | undefined {
  const reason = String(status)
  return reason === 'live' ? undefined : { gone: reason }
}

function contextKey (id: string): string {
  return `cellserve:{${id}}:context`
}

/** The keys of a session share a hash tag, so that a cluster keeps them in one place. */
function keysOf (id: string): readonly string[] {
  return [`cellserve:{${id}}:row`, `cellserve:{${id}}:mark`, contextKey(id)]
}
