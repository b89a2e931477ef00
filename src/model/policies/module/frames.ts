/** Two lengths come before the head: its own and the body's, little-endian. */
const PREFIX = 8
const NOTHING = new Uint8Array(0)

/**
 * A message between two processes: a head, which JSON can say, and a body of bytes. To serialize objects with typed arrays in
 * them would take longer than the message's way.
 */
export function writeFrame (head: object, body: Float32Array | Uint8Array = NOTHING): Uint8Array {
  const text = Buffer.from(JSON.stringify(head))
  const frame = Buffer.allocUnsafe(PREFIX + text.length + body.byteLength)
  frame.writeUInt32LE(text.length, 0)
  frame.writeUInt32LE(body.byteLength, 4)
  frame.set(text, PREFIX)
  frame.set(new Uint8Array(body.buffer, body.byteOffset, body.byteLength), PREFIX + text.length)
  return frame
}

/**
 * Makes a reader of a stream of frames.
 *
 * @param take hears of each frame, whose body is a buffer of its own.
 * @returns what takes the next chunk of the stream.
 */
export function createFrameReader (take: (head: unknown, body: ArrayBuffer) => void): (chunk: Uint8Array) => void {
  const prefix = Buffer.alloc(PREFIX)
  /** What is being filled: the prefix, or the rest of a frame. */
  let part = prefix
  let filled = 0

  function next (): void {
    filled = 0
    if (part === prefix) {
      part = Buffer.alloc(prefix.readUInt32LE(0) + prefix.readUInt32LE(4))
      return
    }
    const length = prefix.readUInt32LE(0)
    const { buffer, byteOffset, byteLength } = part
    const head: unknown = JSON.parse(part.toString('utf8', 0, length))
    part = prefix
    take(head, buffer.slice(byteOffset + length, byteOffset + byteLength))
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
