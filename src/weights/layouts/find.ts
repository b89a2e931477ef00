import type { CellKind } from '../../network/cell.ts'
import { listOfCells } from './cell-list.ts'
import { customLstm } from './custom-lstm.ts'
import { ROLES, type Family, type Place, type Role } from './family.ts'
import { LayoutError, listOf } from './floats.ts'
import { wrongOption } from './options.ts'
import { torchCell } from './torch-cell.ts'
import { torchRnn } from './torch-rnn.ts'

/** All supported ways to name the tensors of a network. */
const FAMILIES: readonly Family[] = [customLstm, torchRnn, torchCell, listOfCells(customLstm), listOfCells(torchCell)]

/** The most parts, between dots, that a name has inside its module. */
const MOST_PARTS = 3

/** A network's tensors, by their names in the file. */
export interface FoundNetwork {
  /** The kind of its cells, if the names determine it. */
  readonly kind: CellKind | undefined
  /**
   * The module's path in the file: what its tensors' names begin with, without the last dot; empty if they have no prefix,
   * undefined if its tensors belong to no module.
   */
  readonly prefix: string | undefined
  /** `[L][D]`: each node's tensors. All nodes have the same roles. */
  readonly nodes: ReadonlyArray<readonly NodeNames[]>
}

export type NodeNames = Readonly<Partial<Record<Role, string>>> & { readonly weightHh: string }

/** A tensor that has a place in a network. */
interface Placed extends Place {
  readonly name: string
}

/** The tensors that one module would have. */
interface Candidate {
  readonly family: Family
  readonly prefix: string
  readonly tensors: Placed[]
}

/**
 * Finds the one network among a file's tensors, by their names.
 *
 * @param only the prefix of the network to use, if the file has several.
 * @throws LayoutError if there is no network, more than one, or one that lacks a tensor.
 * @throws InputError if there is no network under the prefix.
 */
export function findNetwork (names: readonly string[], only?: string): FoundNetwork {
  const found = candidatesOf(names, only)
  if (found.length === 0) throw noneFound(names, only)
  if (found.length > 1) {
    throw new LayoutError(`more than one network found: ${describe(found)}; ` +
      '"cell": {"prefix": ...} in config.json picks one')
  }
  const [{ family, prefix, tensors }] = found
  return { kind: family.kind, prefix, nodes: nodesOf(tensors, (place) => joinName(prefix, family.nameOf(place))) }
}

/** The name that a module's tensor has in the file. */
export function joinName (prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`
}

/** Possible networks: weights with known names under one prefix. */
function candidatesOf (names: readonly string[], only: string | undefined): Candidate[] {
  const candidates = new Map<string, Candidate>()
  for (const name of names) {
    const found = placeOf(name, only)
    if (found === undefined) continue
    const { prefix, family, place } = found
    const key = `${family.modules} ${prefix}`
    const candidate = candidates.get(key) ?? { family, prefix, tensors: [] }
    candidate.tensors.push({ ...place, name })
    candidates.set(key, candidate)
  }
  // A bias alone can belong to anything.
  return [...candidates.values()].filter(({ tensors }) => tensors.some(({ role }) => role === 'weightIh' || role === 'weightHh'))
}

/** Where a tensor with that name would be, and in which module. */
function placeOf (name: string, only: string | undefined): { prefix: string, family: Family, place: Place } | undefined {
  for (const { prefix, own } of splitsOf(name, only)) {
    for (const family of FAMILIES) {
      const place = family.place(own)
      if (place !== undefined) return { prefix, family, place }
    }
  }
  return undefined
}

/** The ways to split a name into a module's prefix and a name inside it, with the longest name inside first. */
function splitsOf (name: string, only: string | undefined): Array<{ prefix: string, own: string }> {
  if (only !== undefined) {
    const start = joinName(only, '')
    return name.startsWith(start) ? [{ prefix: only, own: name.slice(start.length) }] : []
  }
  const splits: Array<{ prefix: string, own: string }> = []
  for (let dot = name.length; dot > 0 && splits.length < MOST_PARTS;) {
    dot = name.lastIndexOf('.', dot - 1)
    // A name that begins with a dot has no module path before it.
    if (dot !== 0) splits.unshift({ prefix: name.slice(0, Math.max(0, dot)), own: name.slice(dot + 1) })
  }
  return splits
}

function noneFound (names: readonly string[], only: string | undefined): Error {
  if (only !== undefined) {
    const others = candidatesOf(names, undefined)
    return wrongOption('prefix', `no cell found under ${listOf([JSON.stringify(only)])}; found ${others.length > 0 ? describe(others) : listOf(names)}`)
  }
  const known = [customLstm, torchRnn, torchCell].map(({ modules, weights }) => `${weights} (${modules})`).join(', ')
  return new LayoutError(`no cell found: expected tensors named, under any prefix, ${known}; found ${listOf(names)}` +
    (names.length === 0 ? '' : '; if the cell has other names, list them under "cell" in config.json (docs/models.md)'))
}

function describe (candidates: readonly Candidate[]): string {
  return listOf(candidates.map(({ prefix, family }) => `${JSON.stringify(prefix)} (${family.modules})`))
}

/**
 * The tensors of each node. All nodes must have the same roles, so that a network with a lost part is not served silently.
 */
function nodesOf (tensors: readonly Placed[], nameOf: (place: Place) => string): NodeNames[][] {
  const keyOf = ({ layer, backward, role }: Place): string => `${layer} ${backward} ${role}`
  const byPlace = new Map(tensors.map((tensor) => [keyOf(tensor), tensor.name]))
  const layers = 1 + tensors.reduce((most, { layer }) => Math.max(most, layer), 0)
  const directions = tensors.some(({ backward }) => backward) ? [false, true] : [false]
  // Only a single layer may read no x.
  const always: readonly Role[] = layers === 1 ? ['weightHh'] : ['weightHh', 'weightIh']
  const roles = ROLES.filter((role) => always.includes(role) || tensors.some((tensor) => tensor.role === role))

  const nodes: NodeNames[][] = []
  for (let layer = 0; layer < layers; layer++) {
    nodes.push(directions.map((backward) => {
      const nameIn = (role: Role): string => {
        const place = { layer, backward, role }
        const name = byPlace.get(keyOf(place))
        if (name === undefined) throw new LayoutError(`tensor ${nameOf(place)}: is missing: ${whyExpected(place, tensors, layers)}`)
        return name
      }
      return { ...Object.fromEntries(roles.map((role) => [role, nameIn(role)])), weightHh: nameIn('weightHh') }
    }))
  }
  return nodes
}

function whyExpected ({ layer, backward, role }: Place, tensors: readonly Placed[], layers: number): string {
  const inLayer = tensors.filter((tensor) => tensor.layer === layer)
  if (inLayer.length === 0) return `there is a layer ${layers - 1}, so there must be a layer ${layer}`
  const inNode = inLayer.filter((tensor) => tensor.backward === backward)
  if (inNode.length === 0) return `${tensors.find((tensor) => tensor.backward)?.name} is there, so every layer must have both directions`
  const alike = tensors.find((tensor) => tensor.role === role)
  return `${inNode[0].name} is there${alike === undefined ? '' : `, and so is ${alike.name}, of another layer or direction`}`
}
