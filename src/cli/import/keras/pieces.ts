/**
 * Reads a stream in pieces of the sizes that the caller asks for. Each piece is copied once, into its own buffer.
 *
 * @returns a function that reads the next piece; it throws if the stream ends early.
 */
export function piecesOf (stream: AsyncIterable<Buffer>): (size: number) => Promise<Buffer> {
  const chunks = stream[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  return async (size) => {
    const piece = Buffer.allocUnsafeSlow(size)
    for (let at = 0; at < size;) {
      if (rest.length === 0) {
        const { done, value } = await chunks.next()
        if (done === true) throw new Error(`ended ${size - at} bytes early`)
        rest = value
      }
      const copied = rest.copy(piece, at)
      at += copied
      rest = rest.subarray(copied)
    }
    return piece
  }
}
