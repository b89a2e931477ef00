import { InputError } from '../errors.ts'
import type { Shelf } from '../model/sessions/shared/shelf.ts'
import type { PrimaryCalls } from './calls.ts'
import type { Caller } from './channel.ts'

/** The most calls that wait for their answers. */
const MAX_WAITING = 4096

/**
 * The primary's shelf.
 *
 * @param asked receives how long each call took, and whether it failed.
 */
export function shelfOf (primary: Caller<PrimaryCalls>, asked: (command: string, seconds: number, failed: boolean) => void): Shelf {
  let waiting = 0

  async function ask<K extends Exclude<keyof Shelf, 'close'>> (name: K, ...args: Parameters<PrimaryCalls[K]>): Promise<Awaited<ReturnType<PrimaryCalls[K]>>> {
    if (waiting >= MAX_WAITING) throw new InputError('unavailable', { path: '', message: `${waiting} requests for sessions are waiting already; try again shortly` })
    const start = performance.now()
    let failed = false
    waiting++
    try {
      return await primary.call(name, ...args)
    } catch (error) {
      failed = !(error instanceof InputError)
      throw error
    } finally {
      waiting--
      asked(name, (performance.now() - start) / 1000, failed)
    }
  }

  return {
    create: async (...args) => await ask('create', ...args),
    read: async (...args) => await ask('read', ...args),
    context: async (...args) => await ask('context', ...args),
    touch: async (...args) => await ask('touch', ...args),
    advance: async (...args) => await ask('advance', ...args),
    end: async (...args) => await ask('end', ...args),
    page: async (...args) => await ask('page', ...args),
    // The shelf outlives a worker.
    close () {}
  }
}
