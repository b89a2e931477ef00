/** A wrong flag or variable; the message is one line that says what was expected. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}
