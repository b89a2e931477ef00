/** Two lengths come before the head: its own and the body's, little-endian. */
const PREFIX = 8
const NOTHING = new Uint8Array(0)

/**
 * A message between two processes: a head as JSON, and a body of bytes. Serializing objects that contain typed arrays would
 * take longer than sending the message.
 */
export function writeFrame (head: object, body: Float32Array | Uint8Array = NOTHING): Uint8Array {
  const json = JSON.stringify(head)
  // Bodies of floats are read in place, so they begin at a multiple of four.
  const text = Buffer.from(json + ' '.repeat(-Buffer.byteLength(json) & 3))
  const frame = Buffer.allocUnsafe(PREFIX + text.length + body.byteLength)
  frame.writeUInt32LE(text.length, 0)
  frame.writeUInt32LE(body.byteLength, 4)
  frame.set(text, PREFIX)
  frame.set(new Uint8Array(body.buffer, body.byteOffset, body.byteLength), PREFIX + text.length)
  return frame
}

/**
 * Creates a reader for a stream of frames.
 *
 * @param take receives each frame. The body is a part of the frame's own buffer, at a multiple of four bytes.
 * @returns a function that accepts the next chunk of the stream.
 */
export function createFrameReader (take: (head: unknown, body: Uint8Array) => void): (chunk: Uint8Array) => void {
  const prefix = Buffer.alloc(PREFIX)
  /** What is being filled: the prefix, or the rest of a frame. */
  let part: Uint8Array = prefix
  let filled = 0

  function next (): void {
    filled = 0
    if (part === prefix) {
      part = new Uint8Array(prefix.readUInt32LE(0) + prefix.readUInt32LE(4))
      return
    }
    const length = prefix.readUInt32LE(0)
    const head: unknown = JSON.parse(Buffer.from(part.buffer, 0, length).toString())
    const body = part.subarray(length)
    part = prefix
    take(head, body)
  }

  return (chunk) => {
    for (let at = 0; at < chunk.length;) {
      const count = Math.min(part.length - filled, chunk.length - at)
      part.set(chunk.subarray(at, at + count), filled)
      filled += count
      at += count
      if (filled === part.length) next()
    }
  }
}

/** The floats of a body. */
export function floatsOf ({ buffer, byteOffset, byteLength }: Uint8Array): Float32Array {
  return new Float32Array(buffer, byteOffset, byteLength / Float32Array.BYTES_PER_ELEMENT)
}
