import type { Family, Role } from './family.ts'

const NAMES: ReadonlyArray<readonly [name: string, role: Role]> = [
  ['weight_ih', 'weightIh'],
  ['weight_hh', 'weightHh'],
  ['bias_ih', 'biasIh'],
  ['bias_hh', 'biasHh'],
  ['weight_hr', 'weightHr']
]
const ROLE_OF = new Map(NAMES)
const NAME_OF = new Map(NAMES.map(([name, role]) => [role, name]))

/** `torch.nn.LSTM`, `GRU` and `RNN`: `weight_ih_l{k}` and so on, with `_reverse` for the backward direction, `weight_hr_l{k}` for `proj_size`. */
export const torchRnn: Family = {
  modules: 'torch.nn.LSTM, GRU or RNN',
  weights: 'weight_ih_l0 and weight_hh_l0',
  place (name) {
    const [, own = '', layer, reverse] = /^(.*)_l(0|[1-9]\d*)(_reverse)?$/s.exec(name) ?? []
    const role = ROLE_OF.get(own)
    return role === undefined ? undefined : { layer: Number(layer), backward: reverse !== undefined, role }
  },
  nameOf: ({ layer, backward, role }) => `${NAME_OF.get(role)}_l${layer}${backward ? '_reverse' : ''}`
}
