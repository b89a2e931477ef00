import { Tensor } from '../tensor/tensor.ts'

/** What the body of a request can contain. Names look like `x`, or `context/vectors` for a field of a field. */
export interface Fields {
  /** The model that the fields are for, which errors name. */
  readonly model?: string
  /** Every field of the body itself. */
  readonly known: readonly string[]
  readonly tensors: readonly string[]
  /** Lists of integers. */
  readonly integers?: readonly string[]
  /** Base64url strings, one or a list; a document without strings has them as bytes. */
  readonly tokens?: readonly string[]
  /** Integers, nested like their shape. */
  readonly nested?: readonly string[]
}

/** Counts bytes that a request holds; throws an InputError if they would exceed the limits. */
export type Hold = (bytes: number) => void

/** The tensors of an answer by their paths, such as `output` and `parts/read`. */
export function tensorsOf (answer: object, path = ''): Array<[path: string, tensor: Tensor]> {
  const tensors: Array<[string, Tensor]> = []
  for (const [name, value] of Object.entries(answer)) {
    if (value instanceof Tensor) tensors.push([path + name, value])
    else if (holdsTensors(value)) tensors.push(...tensorsOf(value, `${path}${name}/`))
  }
  return tensors
}

/** Whether a field of an answer is an object, or an array, with a tensor somewhere in it. */
export function holdsTensors (value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.values(value).some((field) => field instanceof Tensor || holdsTensors(field))
}
