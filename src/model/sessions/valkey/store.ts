import type { SessionStore } from '../session.ts'
import { createSharedStore, type SharedOptions } from '../shared/store.ts'
import { connectStore, type StoreAddress, type StoreEvents } from './connection.ts'
import { createValkeyShelf } from './shelf.ts'

export interface ValkeyOptions extends SharedOptions {
  readonly address: StoreAddress
  /** The most sessions in the store. */
  readonly maxSessions: number
  readonly events: StoreEvents
}

/** Sessions in Valkey or Redis, for all processes that share it. */
export async function createValkeyStore ({ address, maxSessions, events, ...options }: ValkeyOptions): Promise<SessionStore> {
  return createSharedStore(createValkeyShelf(await connectStore(address, events), maxSessions), options)
}
