/** A test, a file of tests, or what else has an end. */
export interface Closing {
  after (close: () => unknown): void
}
