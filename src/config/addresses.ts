import { isIP, isIPv4 } from 'node:net'

/** What is wrong with `origin` as `--cors-origin`, or undefined: it must be spelled as browsers send it, otherwise it never matches. */
export function originFault (origin: string): string | undefined {
  if (origin === '*') return undefined
  const sent = originSent(origin)
  if (sent === origin) return undefined
  return `expected an origin as browsers send it, scheme://host or scheme://host:port, or *, got ${JSON.stringify(origin)}` +
    (sent === undefined ? '' : `; write ${sent}`)
}

/** The `origin` header of a page at `url`; without a scheme, http is assumed. */
function originSent (url: string): string | undefined {
  try {
    const { protocol, host } = new URL(url.includes('://') ? url : `http://${url}`)
    return host === '' ? undefined : `${protocol}//${host}`
  } catch {
    return undefined
  }
}

const NAMED = new Set(['loopback', 'linklocal', 'uniquelocal'])

/** What is wrong with `addresses` as `--trust-proxy`, or undefined. */
export function proxiesFault (addresses: string): string | undefined {
  const odd = addresses.split(',').map((part) => part.trim()).find((part) => !NAMED.has(part) && !isRange(part))
  if (odd === undefined) return undefined
  return `expected addresses, such as 10.0.0.0/8 or ::1, or loopback, linklocal, uniquelocal, with commas between, got ${JSON.stringify(odd)}`
}

function isRange (text: string): boolean {
  const [address, range, ...more] = text.split('/')
  const bits = isIPv4(address) ? 32 : 128
  if (isIP(address) === 0 || more.length > 0) return false
  return range === undefined || (/^\d{1,3}$/.test(range) && Number(range) > 0 && Number(range) <= bits) || (bits === 32 && isIPv4(range))
}
