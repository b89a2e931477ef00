import { InputError } from '../../../errors.ts'
import type { Script } from './scripts.ts'

/** The address of a store. */
export interface StoreAddress {
  readonly host: string
  readonly port: number
  readonly db: number
  readonly tls: boolean
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** What a connection reports about its work, for others to count and to log. */
export interface StoreEvents {
  /** The store was sent a command, and answered it or failed. */
  asked (command: string, seconds: number, failed: boolean): void
  /** `lost`: the store no longer answers, and why. `found`: it answers again. */
  lost (reason: string): void
  found (): void
}

/** A connection that reconnects by itself. While it is down, every call fails at once; nothing waits for it. */
export interface Connection {
  /** Runs a script. @returns its answer, which consists of texts only. @throws InputError if the store does not answer. */
  run (script: Script, keys: readonly string[], args: ReadonlyArray<string | Buffer | number>): Promise<readonly Buffer[]>
  /** The bytes of a key, if it exists. @throws InputError as above. */
  get (key: string): Promise<Buffer | undefined>
  /** The milliseconds until a key expires; -2 if there is no such key. @throws InputError as above. */
  left (key: string): Promise<number>
  /** The members of a sorted set, starting from a score, each followed by its score. @throws InputError as above. */
  range (key: string, from: number, limit: number): Promise<readonly Buffer[]>
  close (): void
}

/** How long the store may take to accept a connection, and how long it may leave a command without an answer, in milliseconds. */
const TIMEOUT = 2000
/** The most calls that can wait for their answers. */
const MAX_WAITING = 4096

/** Connects to the store. It returns after a while even if the store is unavailable. */
export async function connectStore ({ host, port, db, tls, username, password }: StoreAddress, events: StoreEvents): Promise<Connection> {
  // Imported here, because few services keep their sessions elsewhere.
  const { Redis } = await import('iovalkey')
  const client = new Redis({
    host,
    port,
    db,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(tls && { tls: { servername: host } }),
    connectTimeout: TIMEOUT,
    socketTimeout: TIMEOUT,
    disconnectTimeout: TIMEOUT / 4,
    retryStrategy: (times) => Math.min(50 * times, 1000),
    // A call fails with its connection: the client can repeat its request, and no call waits in memory.
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0
  })
  let away = false
  let waiting = 0

  function lose (error: Error): void {
    if (away) return
    away = true
    events.lost(error.message)
  }
  client.on('error', lose)
  client.on('ready', () => {
    if (away) events.found()
    away = false
  })
  await new Promise<void>((resolve) => {
    client.once('ready', resolve)
    client.once('error', () => resolve())
    setTimeout(resolve, TIMEOUT).unref()
  })

  async function ask (name: string, call: () => Promise<unknown>): Promise<unknown> {
    if (waiting >= MAX_WAITING) throw unavailable(`${waiting} requests to it are waiting already`)
    const start = performance.now()
    let failed = true
    waiting++
    try {
      const answer = await call()
      failed = false
      return answer
    } catch (error) {
      throw unavailable(reasonOf(error))
    } finally {
      waiting--
      events.asked(name, (performance.now() - start) / 1000, failed)
    }
  }

  async function evaluate ({ sha, lua, keys: count }: Script, keys: readonly string[], args: ReadonlyArray<string | Buffer | number>): Promise<unknown> {
    try {
      return await client.callBuffer('evalsha', sha, count, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return await client.callBuffer('eval', lua, count, ...keys, ...args)
    }
  }

  return {
    run: async (script, keys, args) => buffersOf(await ask(script.name, async () => await evaluate(script, keys, args))),
    async get (key) {
      const answer = await ask('get', async () => await client.getBuffer(key))
      return Buffer.isBuffer(answer) ? answer : undefined
    },
    left: async (key) => Number(await ask('left', async () => await client.pttl(key))),
    range: async (key, from, limit) => buffersOf(await ask('range', async () => await client.callBuffer('zrangebyscore', key, from, '+inf', 'WITHSCORES', 'LIMIT', 0, limit))),
    close: () => { client.disconnect() }
  }
}

function buffersOf (answer: unknown): readonly Buffer[] {
  if (Array.isArray(answer) && answer.every((part) => Buffer.isBuffer(part))) return answer
  throw unavailable('it sent an unexpected answer')
}

/** Errors from the store begin with a word in capitals; others come from the connection. The rest is for the operator alone. */
function reasonOf (error: unknown): string {
  const message = error instanceof Error ? error.message : ''
  if (message.startsWith('OOM')) return 'it has no room for more'
  const [code] = /^[A-Z]{3,}\b/.exec(message) ?? []
  return code === undefined ? 'there is no connection to it' : `it answers ${code}`
}

function unavailable (reason: string): InputError {
  return new InputError('unavailable', { path: '', message: `the session store does not answer: ${reason}; requests without sessions still work` })
}
