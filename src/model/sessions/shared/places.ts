import { ownRow, type KeptRow } from '../../kept-row.ts'
import type { Model } from '../../model.ts'

/** Where this process left a session when it last advanced it. */
export interface Place {
  readonly owner: string | undefined
  readonly model: Model
  readonly idleTimeout: number
  /** When it ends if nobody has used it since, in milliseconds since 1970. */
  readonly expires: number
  /** How many bytes its context takes; 0 if it has none. */
  readonly held: number
  readonly made: string
  readonly stamp: string
  readonly row: KeptRow
}

/** Sessions as this process last left them. */
export interface Places {
  find (id: string): Place | undefined
  /** Keeps a copy of the place where this process leaves a session. */
  leave (id: string, place: Place): void
  drop (id: string): void
  /** Drops all. */
  clear (): void
}

/** The most sessions, and bytes of their states, that are remembered. Those that were left longest ago are forgotten first. */
const MAX_PLACES = 4096
const MAX_BYTES = 2 ** 24

export function createPlaces (): Places {
  const places = new Map<string, Place>()
  let bytes = 0

  function drop (id: string): void {
    bytes -= places.get(id)?.row.state.byteLength ?? 0
    places.delete(id)
  }

  return {
    find: (id) => places.get(id),
    leave (id, place) {
      drop(id)
      places.set(id, { ...place, row: ownRow(place.row) })
      bytes += place.row.state.byteLength
      for (const oldest of places.keys()) {
        if (places.size <= MAX_PLACES && bytes <= MAX_BYTES) break
        drop(oldest)
      }
    },
    drop,
    clear () {
      places.clear()
      bytes = 0
    }
  }
}
