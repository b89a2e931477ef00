import { LayoutError } from './floats.ts'
import type { ReadLayers } from './layouts.ts'

/**
 * The tensors of a file that nothing uses, by name.
 *
 * @param used the names of those that are used, by the network or by what stands around it.
 * @throws LayoutError if one lies in the network's own module: it would be served as another than it is.
 */
export function unusedTensors (names: Iterable<string>, used: ReadonlySet<string>, { prefix }: Pick<ReadLayers, 'prefix'>): string[] {
  const unused = [...names].filter((name) => !used.has(name))
  const own = prefix === undefined ? undefined : unused.find((name) => prefix === '' || name.startsWith(`${prefix}.`))
  if (own === undefined) return unused
  throw new LayoutError(`tensor ${own}: nothing uses it, but it lies among the tensors of the cell, ` +
    `${prefix === '' ? 'which have no prefix' : `under ${JSON.stringify(prefix)}`}; leave it out of the file if the cell does not need it`)
}
