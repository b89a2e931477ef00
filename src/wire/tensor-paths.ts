import { Tensor } from '../tensor/tensor.ts'

/** What the body of a request may contain. Names are such as `x`, or `context/vectors` for a field of a field. */
export interface Fields {
  /** The model that they are for, which errors name. */
  readonly model?: string
  /** Every field of the body itself. */
  readonly known: readonly string[]
  readonly tensors: readonly string[]
  /** Lists of integers. */
  readonly integers?: readonly string[]
  /** Base64url texts, one or a list, which a document without texts has as bytes. */
  readonly tokens?: readonly string[]
  /** Integers, nested as their shape is. */
  readonly nested?: readonly string[]
}

/** Counts bytes that a request holds; throws an InputError if there is no room for them. */
export type Hold = (bytes: number) => void

/** The tensors of an answer by their paths, as `output` and `parts/read`. */
export function tensorsOf (answer: object, path = ''): Array<[path: string, tensor: Tensor]> {
  const tensors: Array<[string, Tensor]> = []
  for (const [name, value] of Object.entries(answer)) {
    if (value instanceof Tensor) tensors.push([path + name, value])
    else if (holdsTensors(value)) tensors.push(...tensorsOf(value, `${path}${name}/`))
  }
  return tensors
}

/** Whether a field of an answer is an object of tensors. */
export function holdsTensors (value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.values(value).some((field) => field instanceof Tensor)
}
