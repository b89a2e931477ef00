import { InputError, unprocessable } from '../../errors.ts'
import { directionsOf, sizesOf } from '../../network/layers.ts'
import { attention } from './attention.ts'
import { concat } from './concat.ts'
import { identity } from './identity.ts'
import { moduleFile } from './module/module.ts'
import { none } from './none.ts'
import type { Policy, PolicyKind, PolicySetting } from './policy.ts'
import { projection } from './projection.ts'
import { repeat } from './repeat.ts'
import { wiring } from './wiring.ts'

/** All feedback policies, in the order of the documentation. */
export const POLICIES: readonly PolicyKind[] = [none, identity, repeat, concat, projection, attention, wiring, moduleFile]

/** The `feedback` of a `config.json`: a policy's name, and its options. */
export interface PolicyOptions {
  readonly policy: string
  readonly [option: string]: unknown
}

/** A policy as `config.json` writes it, and the policy that is made from it. */
export interface NamedPolicy {
  readonly name: string
  /** The `feedback` of `config.json`, for display. */
  readonly options: PolicyOptions
  readonly policy: Policy
}

/**
 * Makes a model's policy from the `feedback` of its `config.json`. Without one it is `identity` if each cell can read what it
 * writes, else `none`.
 *
 * @throws InputError or Error that says what does not fit.
 */
export async function createPolicy (options: PolicyOptions | undefined, model: PolicySetting): Promise<NamedPolicy> {
  const { layers } = model
  const { Hi, Ho } = sizesOf(layers)
  const reads = layers.nodes.length > 1 || directionsOf(layers) === 2 || Hi === Ho
  const chosen = options ?? { policy: reads ? identity.name : none.name }
  const kind = POLICIES.find(({ name }) => name === chosen.policy)
  if (kind === undefined) {
    const names = POLICIES.map(({ name }) => name).join(', ')
    throw new InputError('malformed', { path: '/feedback/policy', message: `expected one of ${names}, got ${JSON.stringify(chosen.policy)}` })
  }
  const policy = await kind.create(chosen, model)
  try {
    checkInput(policy, model)
  } catch (error) {
    await policy.close?.()
    throw error
  }
  return { name: kind.name, options: chosen, policy }
}

/** A wiring has already checked the widths. */
function checkInput ({ x, initial }: Policy, { input }: PolicySetting): void {
  if (input === undefined) return
  if (x !== input.width) throw unprocessable('/input', `the cell reads an x of ${x} numbers (I), but ${input.makes}`)
  if (initial === 'x' && input.kind === 'layer') throw unprocessable('/feedback/initial', 'the layer of /input computes x when a step begins, so h cannot begin as x: expected read or no-read')
}
