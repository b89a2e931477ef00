import { readFileSync } from 'node:fs'
import { decodeIntegers } from '../../src/tensor/dtypes.ts'
import { parseSafetensors } from '../../src/tensor/safetensors.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { readFloats } from '../../src/weights/layouts/floats.ts'

/** The results of PyTorch's own layers: see test/fixtures/make_torch_fixtures.py. */
export const TORCH_FIXTURES = 'test/fixtures/torch'

export interface TorchFixture {
  readonly name: string
  readonly cases: ReadonlyArray<'sequence' | 'step'>
}

export const torchFixtures: { readonly made_with: string, readonly fixtures: readonly TorchFixture[] } =
  JSON.parse(readFileSync(`${TORCH_FIXTURES}/fixtures.json`, 'utf8'))

export interface TorchCase {
  readonly request: { readonly x: Tensor, readonly h_in?: Tensor, readonly c_in?: Tensor, readonly lengths?: number[] }
  readonly answer: { readonly output?: Tensor, readonly h_out: Tensor, readonly c_out?: Tensor }
}

export function readCase (name: string, kind: 'sequence' | 'step'): TorchCase {
  const tensors = parseSafetensors(readFileSync(`${TORCH_FIXTURES}/${name}/${kind}.safetensors`))
  const tensor = (field: string): Tensor => {
    const { shape, data } = readFloats(tensors, field)
    return new Tensor(shape, data)
  }
  const optional = <K extends string>(field: K): Partial<Record<K, Tensor>> => {
    const found: Partial<Record<K, Tensor>> = {}
    if (tensors.has(field)) found[field] = tensor(field)
    return found
  }
  const stored = tensors.get('lengths')
  const lengths = stored === undefined ? undefined : decodeIntegers(stored.dtype, stored.bytes)
  return {
    request: { x: tensor('x'), ...optional('h_in'), ...optional('c_in'), ...(lengths !== undefined && { lengths }) },
    answer: { h_out: tensor('h_out'), ...optional('output'), ...optional('c_out') }
  }
}
