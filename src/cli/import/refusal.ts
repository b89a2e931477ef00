/** Why a layer cannot be served, in words; the layer's name comes before them. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}
