import { ConfigError } from './config-error.ts'
import type { StoreAddress } from '../model/sessions/valkey/connection.ts'

/** Given in place of an address. */
const MEMORY = 'memory'

/** Whether sessions are kept in the service's own memory. */
export function inMemory (text: string): boolean {
  return text === MEMORY
}

/** What is wrong with `text` as `--sessions`, or undefined. It may contain a password, so no message shows it. */
export function storeFault (text: string): string | undefined {
  if (inMemory(text)) return undefined
  const expected = 'expected memory, or redis://user:password@host:port/db, or rediss:// for TLS'
  const url = readUrl(text)
  if (url === undefined) return `${expected}; got something that is not a URL`
  const { protocol, hostname, pathname, search, hash } = url
  if (!SCHEMES.has(protocol)) return `${expected}; got ${protocol}//`
  if (hostname === '') return `${expected}; it names no host`
  if (!/^\/?(\d{1,5})?$/.test(pathname)) return `${expected}; the path is not the number of a database`
  if (search !== '' || hash !== '') return `${expected}; it has a query or a fragment`
  return undefined
}

/** Whether the address has a password in it. */
export function hasPassword (text: string): boolean {
  return (readUrl(text)?.password ?? '') !== ''
}

/** @returns undefined for memory. */
export function storeAddress (text: string): StoreAddress | undefined {
  if (inMemory(text)) return undefined
  const fault = storeFault(text)
  if (fault !== undefined) throw new ConfigError(`--sessions: ${fault}`)
  const { protocol, hostname, port, pathname, username, password } = new URL(text)
  return {
    // A URL has IPv6 addresses in brackets.
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: port === '' ? 6379 : Number(port),
    db: Number(pathname.slice(1)),
    tls: TLS.has(protocol),
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) })
  }
}

const TLS: ReadonlySet<string> = new Set(['rediss:', 'valkeys:'])
const SCHEMES: ReadonlySet<string> = new Set([...TLS, 'redis:', 'valkey:'])

function readUrl (text: string): URL | undefined {
  try {
    const url = new URL(text)
    decodeURIComponent(`${url.username}${url.password}`)
    return url
  } catch {
    return undefined
  }
}
