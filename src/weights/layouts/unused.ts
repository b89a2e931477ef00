import { LayoutError } from './floats.ts'
import type { ReadLayers } from './layouts.ts'

/**
 * The names of a file's tensors that nothing uses.
 *
 * @param used the names of the tensors that the network, or anything around it, uses.
 * @throws LayoutError if one belongs to the network's own module: that would be served as something that it is not.
 */
export function unusedTensors (names: Iterable<string>, used: ReadonlySet<string>, { prefix }: Pick<ReadLayers, 'prefix'>): string[] {
  const unused = [...names].filter((name) => !used.has(name))
  const own = prefix === undefined ? undefined : unused.find((name) => prefix === '' || name.startsWith(`${prefix}.`))
  if (own === undefined) return unused
  throw new LayoutError(`tensor ${own}: nothing uses it, but it lies among the tensors of the cell, ` +
    `${prefix === '' ? 'which have no prefix' : `under ${JSON.stringify(prefix)}`}; leave it out of the file if the cell does not need it`)
}
