/** A file that cannot be imported. The message is one line that says why; the file's own words in it may be anything. */
export class ImportError extends Error {
  override readonly name = 'ImportError'
  /** Lines that say what to do instead. */
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

/** A name from a file, for a message. */
export function quote (name: unknown): string {
  const text = typeof name === 'string' ? name : JSON.stringify(name) ?? 'nothing'
  return text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME)}...` : text
}
const LONGEST_NAME = 80
