/** Text, float32 numbers, or int32 ids. */
export type Frame = string | Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>

/** The parts of a WebSocket that the client uses. */
export interface Socket {
  binaryType: string
  addEventListener (type: 'open' | 'error', listener: () => void): void
  addEventListener (type: 'message', listener: (event: { readonly data: unknown }) => void): void
  addEventListener (type: 'close', listener: (event: { readonly code: number, readonly reason: string }) => void): void
  send (data: Frame): void
  close (code?: number): void
}

export type SocketConstructor = new (url: string, protocols: string[]) => Socket

/** A WebSocket that could not be opened, or has ended. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  /** The code with which it was closed, if it was open. */
  readonly code: number | undefined

  constructor (message: string, code?: number) {
    super(message)
    this.code = code
  }
}

interface Waiting {
  resolve (data: unknown): void
  reject (error: Error): void
}

/** A WebSocket with one answer per frame, in the frames' order. */
export class Pipe {
  readonly #socket: Socket
  readonly #waiting: Waiting[] = []
  #ended: ConnectionError | undefined

  private constructor (socket: Socket) {
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('message', ({ data }) => this.#waiting.shift()?.resolve(data))
    socket.addEventListener('close', ({ code, reason }) => this.#end(new ConnectionError(`the connection has ended: ${code}${reason === '' ? '' : `, ${reason}`}`, code)))
  }

  /** @throws ConnectionError, or the signal's reason. */
  static async open (url: string, protocols: string[], given: SocketConstructor | undefined, signal: AbortSignal): Promise<Pipe> {
    signal.throwIfAborted()
    const { WebSocket = given }: { WebSocket?: SocketConstructor } = given === undefined ? globalThis : {}
    if (WebSocket === undefined) throw new TypeError('there is no WebSocket here: give one to the client as its option WebSocket, such as that of the package ws, or take Node.js 22 or newer')
    const socket = new WebSocket(url, protocols)
    const pipe = new Pipe(socket)
    await new Promise<void>((resolve, reject) => {
      const fail = (): void => reject(new ConnectionError(`no WebSocket could be opened to ${url}`))
      socket.addEventListener('open', resolve)
      socket.addEventListener('error', fail)
      socket.addEventListener('close', fail)
      signal.addEventListener('abort', () => {
        reject(signal.reason)
        socket.close()
      })
    })
    return pipe
  }

  /** Sends a frame at once, and waits for its answer. */
  async exchange (frame: Frame): Promise<unknown> {
    const ended = this.#ended
    if (ended !== undefined) throw ended
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#socket.send(frame)
    })
  }

  close (error: ConnectionError): void {
    this.#end(error)
    this.#socket.close(1000)
  }

  #end (error: ConnectionError): void {
    this.#ended ??= error
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
