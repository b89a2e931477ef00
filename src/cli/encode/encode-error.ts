/** A file cannot be encoded. The message is one line that says why; it can quote arbitrary text from the file. */
export class EncodeError extends Error {
  override readonly name = 'EncodeError'

  constructor (message: string) {
    super(message.replaceAll(/\p{Cc}+/gu, ' ').slice(0, LONGEST))
  }
}

const LONGEST = 1500
