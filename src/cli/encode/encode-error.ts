/** What keeps a file from being encoded. The message is one line that says why; the file's own words in it may be anything. */
export class EncodeError extends Error {
  override readonly name = 'EncodeError'

  constructor (message: string) {
    super(message.replaceAll(/\p{Cc}+/gu, ' ').slice(0, LONGEST))
  }
}

const LONGEST = 1500
