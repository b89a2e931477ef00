/** A models folder that cannot be served. The message is one line that names the file and what is wrong with it. */
export class ModelsError extends Error {
  override readonly name = 'ModelsError'

  constructor (message: string) {
    // A parser may quote text with line breaks.
    super(message.replaceAll('\n', '\\n'))
  }
}
