/** A layer cannot be served. The message says why and follows the layer's name. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}
