/** A test, a file of tests, or anything else that ends. */
export interface Closing {
  after (close: () => unknown): void
}
