/** A file cannot be imported. The message is one line that says why; it can quote arbitrary text from the file. */
export class ImportError extends Error {
  override readonly name = 'ImportError'
  /** What to do instead, as lines of text. */
  readonly advice: string

  constructor (message: string, advice = '') {
    super(shorten(message.replaceAll(/\p{Cc}+/gu, ' ')))
    this.advice = advice
  }
}

/** The longest message, in characters. */
const LONGEST = 1500

function shorten (message: string): string {
  return message.length > LONGEST ? `${message.slice(0, LONGEST)}...` : message
}

/** A name from a file, shortened for a message. */
export function quote (name: unknown): string {
  const text = typeof name === 'string' ? name : JSON.stringify(name) ?? 'nothing'
  return text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME)}...` : text
}
const LONGEST_NAME = 80
