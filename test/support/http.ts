import { connect } from 'node:net'

/** The bytes of a POST with a JSON body. */
export function post (path: string, body: unknown): Buffer {
  return postBytes(path, 'application/json', Buffer.from(JSON.stringify(body)))
}

/** The bytes of a POST. */
export function postBytes (path: string, type: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\ncontent-length: ${body.byteLength}\r\n\r\n`), body])
}

/** The answer to one request. */
export interface Answer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: Buffer
}

/** One connection that sends one request after the other; a request can be any bytes. */
export interface Connection {
  /** @param bodyless whether the answer has no body, as for HEAD. */
  send (request: Uint8Array, bodyless: boolean): Promise<Answer>
  close (): void
}

/** Creates a connection that reopens if the server has closed it. */
export function createConnection (port: number): Connection {
  let open: ReturnType<typeof openSocket> | undefined
  return {
    async send (request, bodyless) {
      open ??= openSocket(port)
      const answer = await open.send(request, bodyless)
      if (answer.headers.get('connection') === 'close') {
        open.close()
        open = undefined
      }
      return answer
    },
    close () { open?.close() }
  }
}

function openSocket (port: number) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  let received: Buffer = Buffer.alloc(0)
  let take: () => void = () => {}
  let fail: (error: Error) => void = () => {}
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    take()
  })
  socket.on('error', (error) => fail(error))
  socket.on('close', () => fail(new Error(`closed without an answer, after ${JSON.stringify(received.toString('latin1'))}`)))
  return {
    async send (request: Uint8Array, bodyless: boolean): Promise<Answer> {
      return await new Promise((resolve, reject) => {
        fail = reject
        take = () => {
          const read = readAnswer(received, bodyless)
          if (read === undefined) return
          received = read.rest
          resolve(read.answer)
        }
        socket.write(request)
      })
    },
    close () { socket.destroy() }
  }
}

/** Sends bytes that need not be HTTP, then ends, and collects all answers until the server closes. */
export async function sendRaw (port: number, bytes: Uint8Array, milliseconds = 20_000): Promise<Answer[]> {
  const received: Buffer[] = []
  await new Promise<void>((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    const timer = setTimeout(() => {
      socket.destroy()
      reject(new Error(`neither answered nor closed: ${JSON.stringify(Buffer.from(bytes.subarray(0, 500)).toString('latin1'))}`))
    }, milliseconds)
    socket.on('data', (chunk) => received.push(chunk))
    // The server resets the connection if it no longer reads.
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      resolve()
    })
    socket.end(bytes)
  })
  const answers: Answer[] = []
  for (let rest = Buffer.concat(received); rest.length > 0;) {
    const read = readAnswer(rest, false)
    // The server treats a client that has ended as gone, so an unfinished answer can end midway.
    if (read === undefined) break
    answers.push(read.answer)
    rest = read.rest
  }
  return answers
}

/** Parses the first answer in the bytes so far, once it is complete. */
function readAnswer (received: Buffer, bodyless: boolean): { answer: Answer, rest: Buffer<ArrayBuffer> } | undefined {
  const end = received.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [line, ...lines] = received.subarray(0, end).toString('latin1').split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(line)?.[1])
  if (Number.isNaN(status)) throw new Error(`not an answer: ${JSON.stringify(line)}`)
  const body = Buffer.from(received.subarray(end + 4))
  if (status < 200) return readAnswer(body, bodyless)
  const headers = new Map(lines.map((header) => {
    const colon = header.indexOf(':')
    return [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()] as const
  }))
  if (headers.get('transfer-encoding') === 'chunked' && !bodyless) {
    const chunks = readChunks(body)
    return chunks === undefined ? undefined : { answer: { status, headers, body: chunks.body }, rest: chunks.rest }
  }
  const length = bodyless || status === 204 || status === 304 ? 0 : Number(headers.get('content-length') ?? 0)
  if (body.length < length) return undefined
  return { answer: { status, headers, body: body.subarray(0, length) }, rest: body.subarray(length) }
}

function readChunks (bytes: Buffer<ArrayBuffer>): { body: Buffer, rest: Buffer<ArrayBuffer> } | undefined {
  const chunks: Buffer[] = []
  for (let at = 0; ;) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return undefined
    const size = Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16)
    const next = line + 2 + size + 2
    if (bytes.length < next) return undefined
    if (size === 0) return { body: Buffer.concat(chunks), rest: bytes.subarray(next) }
    chunks.push(bytes.subarray(line + 2, line + 2 + size))
    at = next
  }
}
