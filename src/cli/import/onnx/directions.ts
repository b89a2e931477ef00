import type { Recurrent } from '../description.ts'
import { KIND_NAMES } from '../../../weights/layouts/options.ts'
import { quote } from '../import-error.ts'
import { Refusal } from '../refusal.ts'
import type { Flow, Value } from './values.ts'

/** The output of one direction, out of both. */
export function directionOf (flow: Flow, index: number): Flow {
  return { ...flow, only: index === 0 ? 'forward' : 'backward' }
}

/** @throws Refusal if a node reads the output of one direction alone. */
export function bothOf (flow: Flow): Flow {
  if (flow.only === undefined) return flow
  throw new Refusal(`reads only the ${flow.only} direction of ${quote(lastCell(flow)?.name)}`)
}

/**
 * Joins two directions, either of one node or of two nodes that read the same input.
 *
 * @param axis the axis along which they are joined; from the end if negative.
 * @returns undefined if they are not the two directions of a layer.
 * @throws Refusal if they are, but are joined in a way that the service does not support.
 */
export function joinDirections (inputs: ReadonlyArray<Value | undefined>, axis: number): Value | undefined {
  const [a, b, ...more] = inputs
  if (a?.kind !== 'flow' || b?.kind !== 'flow' || more.length > 0) return undefined
  const [first, second] = [lastCell(a), lastCell(b)]
  const [sideA, sideB] = [sideOf(a, first), sideOf(b, second)]
  if (first === undefined || second === undefined || sideA === undefined || sideB === undefined || sideA === sideB) return undefined
  if (sideA === 'backward') throw new Refusal('puts the backward direction before the forward one')
  const before = a.layers.slice(0, -1)
  if (before.length !== b.layers.length - 1 || before.some((layer, i) => layer !== b.layers[i])) throw new Refusal(`joins ${quote(first.name)} and ${quote(second.name)}, which do not read the same input`)
  if (a.of !== b.of) throw new Refusal(`joins steps of ${quote(first.name)} and states of ${quote(second.name)}`)
  const steps = a.of === 'steps'
  const { directions = false } = a
  const rank = (steps ? 3 : 2) + (directions ? 1 : 0)
  const along = axis < 0 ? axis + rank : axis
  // Joined along the direction axis, they remain separate.
  const apart = directions && along === (steps ? 1 : 0)
  if (directions !== (b.directions ?? false) || !(apart || along === rank - 1)) throw new Refusal(`joins two directions along axis ${axis}`)
  const layer: Recurrent = { ...asOne(first, second), gives: steps ? 'steps' : 'states' }
  const flow: Flow = { kind: 'flow', layers: [...before, layer], of: apart && !steps ? 'last' : layer.gives, directions: apart }
  return apart && !steps ? { kind: 'several', flows: [directionOf(flow, 0), directionOf(flow, 1)] } : flow
}

function lastCell ({ layers }: Flow): Recurrent | undefined {
  const last = layers.at(-1)
  return last?.kind === 'recurrent' ? last : undefined
}

function sideOf ({ only }: Flow, cell: Recurrent | undefined): Flow['only'] {
  return only ?? (cell?.directions.length === 1 ? 'forward' : undefined)
}

/** @throws Refusal if the two nodes differ. */
function asOne (forward: Recurrent, backward: Recurrent): Recurrent {
  if (forward.directions === backward.directions) return forward
  const words = ({ cell, activation, hardSigmoid, directions: [{ weightHh }] }: Recurrent): string =>
    `${KIND_NAMES[cell]} of ${weightHh.shape[1]} with ${activation}${hardSigmoid === undefined ? '' : `, hard_sigmoid of slope ${hardSigmoid.slope}`}`
  if (words(forward) !== words(backward)) throw new Refusal(`joins ${quote(forward.name)}, ${words(forward)}, and ${quote(backward.name)}, ${words(backward)}; the directions of a layer must be alike`)
  return { ...forward, name: `${forward.name} and ${backward.name}`, directions: [forward.directions[0], backward.directions[0]] }
}
