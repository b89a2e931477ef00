import { dirname } from 'node:path'
import type { Description } from '../description.ts'
import { ImportError, quote } from '../import-error.ts'
import { readExternal } from './constants.ts'
import { layersOfGraph } from './graph.ts'
import { parseModel } from './messages.ts'

/**
 * Describes an ONNX file, including tensors in external files next to it.
 *
 * @throws ImportError
 */
export async function describeOnnx (bytes: Buffer, path: string): Promise<Description> {
  const { producer, graph } = await parseModel(bytes)
  if (graph === undefined || graph.nodes.length === 0) throw new ImportError('is not an ONNX file: it has no graph')
  const room = new Map<string, number>()
  for (const tensor of graph.initializers) await readExternal(tensor, dirname(path), room)
  return { format: `ONNX${producer === '' ? '' : ` by ${quote(producer)}`}`, layers: layersOfGraph(graph) }
}
