import { connect, type Socket } from 'node:net'

/** The answer to one request. */
export interface Answer {
  readonly status: number
  readonly body: string
  readonly milliseconds: number
}

/** What a client measures of a server under load. */
export interface Load {
  /** Answers with status 200, per second. */
  readonly throughput: number
  readonly p50: number
  readonly p99: number
  readonly statuses: ReadonlyMap<number, number>
}

/** One keep-alive connection that sends a request as soon as the last one is answered. */
class Connection {
  private readonly socket: Socket
  private received = ''
  private sent = 0
  private settle: ((answer: Answer) => void) | undefined
  private fail: ((error: Error) => void) | undefined

  constructor (port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    this.socket.setEncoding('latin1')
    this.socket.on('data', (chunk) => { this.take(String(chunk)) })
    this.socket.on('error', (error) => this.fail?.(error))
    this.socket.on('close', () => this.fail?.(new Error('the server closed the connection')))
  }

  async send (request: Buffer): Promise<Answer> {
    return await new Promise((resolve, reject) => {
      this.settle = resolve
      this.fail = reject
      this.received = ''
      this.sent = performance.now()
      this.socket.write(request)
    })
  }

  private take (chunk: string): void {
    this.received += chunk
    const head = this.received.indexOf('\r\n\r\n')
    if (head < 0) return
    const length = Number(/content-length: (\d+)/i.exec(this.received.slice(0, head))?.[1])
    if (this.received.length < head + 4 + length) return
    this.settle?.({
      status: Number(this.received.slice(9, 12)),
      body: this.received.slice(head + 4),
      milliseconds: performance.now() - this.sent
    })
  }

  close (): void {
    this.fail = undefined
    this.socket.destroy()
  }
}

/**
 * Keeps `connections` connections busy for `ms` milliseconds.
 *
 * @param requests sent in turn.
 * @param check called with every answer and the index of its request.
 * @param most how many requests to send, if the time does not run out first.
 */
export async function load (port: number, connections: number, requests: readonly Buffer[], ms: number, check?: (answer: Answer, i: number) => void, most = Infinity): Promise<Load> {
  const times: number[] = []
  const statuses = new Map<number, number>()
  const end = performance.now() + ms
  const start = performance.now()
  let next = 0
  await Promise.all(Array.from({ length: connections }, async () => {
    const connection = new Connection(port)
    while (performance.now() < end && next < most) {
      const i = next++ % requests.length
      const answer = await connection.send(requests[i])
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      if (answer.status === 200) times.push(answer.milliseconds)
      check?.(answer, i)
    }
    connection.close()
  }))
  const seconds = (performance.now() - start) / 1000
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? NaN
  return { throughput: times.length / seconds, p50: at(0.5), p99: at(0.99), statuses }
}

/** Sends one request on its own connection. */
export async function once (port: number, request: Buffer): Promise<Answer> {
  const connection = new Connection(port)
  const answer = await connection.send(request)
  connection.close()
  return answer
}
