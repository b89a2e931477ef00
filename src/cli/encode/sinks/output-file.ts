import { open, type FileHandle } from 'node:fs/promises'

/** A file that grows, and can be cut back to an earlier length. */
export class OutputFile {
  readonly path: string
  readonly #file: FileHandle
  #length: number

  private constructor (path: string, file: FileHandle, length: number) {
    this.path = path
    this.#file = file
    this.#length = length
  }

  /**
   * Creates a file, or opens one to continue after its first `length` bytes.
   *
   * @throws Error if an existing file is shorter.
   */
  static async open (path: string, length: number | undefined): Promise<OutputFile> {
    const file = await open(path, length === undefined ? 'w+' : 'r+')
    try {
      const { size } = await file.stat()
      if (size < (length ?? 0)) throw new Error(`has ${size} bytes, fewer than the ${length} that were written; --overwrite starts over`)
      const opened = new OutputFile(path, file, length ?? 0)
      await opened.cut(length ?? 0)
      return opened
    } catch (error) {
      await file.close()
      throw error
    }
  }

  get length (): number {
    return this.#length
  }

  async append (bytes: Uint8Array): Promise<void> {
    await this.writeAt(this.#length, bytes)
    this.#length += bytes.byteLength
  }

  async writeAt (position: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.byteLength;) at += (await this.#file.write(bytes, at, bytes.byteLength - at, position + at)).bytesWritten
  }

  /** Appends all of another file. */
  async appendFile (other: OutputFile): Promise<void> {
    for (let at = 0; at < other.length;) {
      const { buffer, bytesRead } = await other.#file.read(Buffer.allocUnsafe(PIECE), 0, Math.min(PIECE, other.length - at), at)
      if (bytesRead === 0) throw new Error(`${other.path} has become shorter`)
      await this.append(buffer.subarray(0, bytesRead))
      at += bytesRead
    }
  }

  async cut (length: number): Promise<void> {
    await this.#file.truncate(length)
    this.#length = length
  }

  async sync (): Promise<void> {
    await this.#file.datasync()
  }

  async close (): Promise<void> {
    await this.#file.close()
  }
}

const PIECE = 2 ** 22
