import type { SequenceRequest } from '../../model/request.ts'
import { Tensor } from '../../tensor/tensor.ts'
import type { Row } from './row.ts'

/** A key that rows share if they can be batched together; undefined for a row that must run alone. */
export function kindOf ({ request: { x, ids, h_in: hIn, c_in: cIn, h_0: h0, steps, context } }: Row): string | undefined {
  const tensors: Readonly<Record<string, unknown>> = Object(context)
  // Any other context field would apply to every row of a request, but belongs to this row only.
  const named = Object.entries(tensors).every(([name, value]) => CONTEXT.has(name) && value instanceof Tensor)
  const given = [x, hIn, cIn, h0, tensors.vectors, tensors.support]
  if (!named || (ids === undefined && given.every((value) => value === undefined))) return undefined
  return [steps, Array.isArray(ids) ? 'ids' : typeof ids, ...given.map((value) => value instanceof Tensor ? `${value.rank} ${value.shape[value.rank - 1]}` : '')].join(',')
}

const CONTEXT = new Set(['vectors', 'support'])

/** One request for rows of one kind. */
export function join (rows: readonly Row[]): SequenceRequest {
  const requests = rows.map(({ request }) => request)
  const [{ x, ids, steps, context }] = requests
  const stacked = (name: 'x' | 'h_in' | 'c_in' | 'h_0'): Record<string, Tensor> => {
    const tensors = requests.flatMap((request) => request[name] ?? [])
    return tensors.length === 0 ? {} : { [name]: stack(tensors) }
  }
  const inContext = Object.keys(Object(context)).map((name): [string, Tensor] => {
    return [name, stack(requests.flatMap((request): Tensor[] => {
      const value: unknown = Object(request.context)[name]
      return value instanceof Tensor ? [value] : []
    }))]
  })
  return {
    ...(x !== undefined && stacked('x')),
    ...(ids !== undefined && { ids: joinIds(requests) }),
    ...stacked('h_in'),
    ...stacked('c_in'),
    ...stacked('h_0'),
    ...(steps !== undefined && { steps }),
    ...(inContext.length > 0 && { context: Object.fromEntries(inContext) })
  }
}

function joinIds (requests: readonly SequenceRequest[]): number[] | number[][] {
  const lists: number[][] = []
  const alone: number[] = []
  for (const { ids } of requests) {
    if (typeof ids === 'number') alone.push(ids)
    else if (ids !== undefined) lists.push(ids.map(Number))
  }
  return lists.length > 0 ? lists : alone
}

/** Stacks vectors into a matrix, or matrices of equal width into a tensor, which may be ragged. */
function stack (tensors: readonly Tensor[]): Tensor {
  const [{ rank, shape }] = tensors
  const packed = new Float32Array(tensors.reduce((sum, { packed }) => sum + packed.length, 0))
  let at = 0
  for (const tensor of tensors) {
    packed.set(tensor.packed, at)
    at += tensor.packed.length
  }
  const width = shape[rank - 1]
  if (rank === 1) return new Tensor([tensors.length, width], packed)
  const lengths = tensors.map((tensor) => tensor.shape[0])
  const longest = Math.max(...lengths)
  return new Tensor([tensors.length, longest, width], packed, lengths.some((length) => length !== longest) ? new Uint32Array(lengths) : undefined)
}
