import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Closing } from './closing.ts'

/**
 * What happens to a request: `lose` passes it to the service, and loses the answer; `break` ends the answer in the middle; `refuse`
 * ends the connection before the service sees anything; `hang` never answers; an object is answered instead.
 */
export type Fault = 'pass' | 'lose' | 'break' | 'refuse' | 'hang' | { readonly status: number, readonly headers?: Readonly<Record<string, string>>, readonly body?: string }

export interface Seen {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A proxy in front of the service. */
export interface FaultyProxy {
  readonly url: string
  /** The requests so far. */
  readonly seen: Seen[]
  /** What happens to the next requests; later requests pass. */
  readonly faults: Fault[]
  /** How often a WebSocket was opened. */
  readonly opened: () => number
  /** Loses the next bytes that the service sends over a WebSocket, and ends that connection. */
  loseNextFrame (): void
  /** Ends all connections. */
  cut (): void
}

/** Starts a proxy on its own port. It ends with the test. */
export async function faultyProxy (t: Closing, origin: string, ...faults: Fault[]): Promise<FaultyProxy> {
  const seen: Seen[] = []
  let opened = 0
  let losing = false
  async function pass ({ method = 'GET', url = '', headers }: IncomingMessage, body: Buffer, response: ServerResponse, fault: Fault): Promise<void> {
    const { host: _host, connection: _connection, 'content-length': _length, ...passed } = headers
    const answer = await fetch(origin + url, { method, headers: Object.entries(passed).map(([name, value]): [string, string] => [name, String(value)]), ...(body.length > 0 && { body: new Uint8Array(body) }) })
    const bytes = Buffer.from(await answer.arrayBuffer())
    const { 'transfer-encoding': _encoding, connection: _own, ...told } = Object.fromEntries(answer.headers)
    if (fault === 'lose') {
      response.destroy()
      return
    }
    response.writeHead(answer.status, { ...told, 'content-length': bytes.length })
    if (fault === 'pass') response.end(bytes)
    else response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy())
  }
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part) => parts.push(part))
    request.on('end', () => {
      const body = Buffer.concat(parts)
      const { method, url, headers } = request
      seen.push({ method, url, headers, body: body.toString('latin1') })
      const fault = faults.shift() ?? 'pass'
      if (fault === 'refuse') response.destroy()
      else if (typeof fault === 'object') response.writeHead(fault.status, fault.headers).end(fault.body)
      else if (fault !== 'hang') pass(request, body, response, fault).catch(() => response.destroy())
    })
  })
  server.on('upgrade', (request, socket) => {
    opened++
    const { hostname, port } = new URL(origin)
    const upstream = connect(Number(port), hostname)
    const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}\r\n`).join('')
    upstream.write(`GET ${request.url} HTTP/1.1\r\n${lines}\r\n`)
    let open = false
    upstream.on('data', (data) => {
      if (open && losing) {
        losing = false
        socket.destroy()
      } else {
        socket.write(data)
      }
      open = true
    })
    socket.on('data', (data) => upstream.write(data))
    for (const [one, other] of [[socket, upstream], [upstream, socket]] as const) {
      one.on('error', () => {})
      one.on('close', () => other.destroy())
    }
    ends.add(() => socket.destroy())
  })
  const ends = new Set<() => void>()
  const cut = (): void => {
    for (const end of ends) end()
    ends.clear()
    server.closeAllConnections()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    cut()
  })
  const address = server.address()
  assert.ok(typeof address === 'object' && address !== null)
  return { url: `http://127.0.0.1:${address.port}`, seen, faults, opened: () => opened, loseNextFrame: () => { losing = true }, cut }
}
