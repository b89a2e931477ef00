import type { Rate } from './calls.ts'

/** The most clients to remember; the one whose last request is oldest is forgotten first. */
const MOST = 5000
const WINDOW = 1000

/** Counts the requests of each client, whichever process receives them. */
export function createRates (now: () => number = Date.now): (client: string) => Rate {
  const clients = new Map<string, { start: number, current: number }>()

  return (client) => {
    const time = now()
    const known = clients.get(client)
    const rate = known === undefined || known.start + WINDOW <= time ? { start: time, current: 0 } : known
    rate.current++
    clients.delete(client)
    clients.set(client, rate)
    const [oldest = client] = clients.size > MOST ? clients.keys() : []
    if (oldest !== client) clients.delete(oldest)
    return { current: rate.current, ttl: rate.start + WINDOW - time }
  }
}
