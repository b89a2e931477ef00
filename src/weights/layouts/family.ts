import type { CellKind } from '../../network/cell.ts'

/** The role of a tensor in its node. */
export const ROLES = ['weightIh', 'weightHh', 'biasIh', 'biasHh', 'weightHr'] as const
export type Role = typeof ROLES[number]

/** Where a tensor is in a network. */
export interface Place {
  readonly layer: number
  readonly backward: boolean
  readonly role: Role
}

/** How known modules name the tensors of a network; names are those inside the module, without its prefix. */
export interface Family {
  /** The modules, and their names for `W_ih` and `W_hh`, for messages. */
  readonly modules: string
  readonly weights: string
  /** The kind of all their cells; left out if the shape of `W_hh` determines it. */
  readonly kind?: CellKind
  /** The place of the tensor with that name, if it has one. */
  place (name: string): Place | undefined
  /** The name of the tensor in that place: the inverse of `place`. */
  nameOf (place: Place): string
}

/** The names of a module that is one cell. */
export function cellFamily (modules: string, names: ReadonlyArray<readonly [name: string, role: Role]>, kind?: CellKind): Family {
  const roles = new Map(names)
  return {
    modules,
    weights: names.slice(0, 2).map(([name]) => name).join(' and '),
    ...(kind !== undefined && { kind }),
    place (name) {
      const role = roles.get(name)
      return role === undefined ? undefined : { layer: 0, backward: false, role }
    },
    nameOf: ({ role }) => names.find(([, each]) => each === role)?.[0] ?? role
  }
}
