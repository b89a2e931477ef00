import type { Family } from './family.ts'

/** A list of cells, as in a `torch.nn.ModuleList`: `{k}.NAME` is layer k of a stack. */
export function listOfCells (cell: Family): Family {
  return {
    ...cell,
    modules: `a list of ${cell.modules}`,
    place (name) {
      const [, layer, own] = /^(0|[1-9]\d*)\.(.*)$/s.exec(name) ?? []
      const place = own === undefined ? undefined : cell.place(own)
      return place === undefined ? undefined : { ...place, layer: Number(layer) }
    },
    nameOf: (place) => `${place.layer}.${cell.nameOf(place)}`
  }
}
