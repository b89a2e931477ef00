import { InputError } from '../../errors.ts'
import { attention } from './attention.ts'
import { concat } from './concat.ts'
import { identity } from './identity.ts'
import { moduleFile } from './module/module.ts'
import { none } from './none.ts'
import type { Policy, PolicyKind, PolicySetting } from './policy.ts'
import { projection } from './projection.ts'
import { repeat } from './repeat.ts'

/** Every feedback policy there is, in the order of the documentation. */
export const POLICIES: readonly PolicyKind[] = [none, identity, repeat, concat, projection, attention, moduleFile]

/** The `feedback` of a `config.json`: a policy's name, and its options. */
export interface PolicyOptions {
  readonly policy: string
  readonly [option: string]: unknown
}

/**
 * Makes a model's policy from the `feedback` of its `config.json`; without one it is `identity` if `Hi = Ho`, else `none`.
 *
 * @throws Error that says what does not fit.
 */
export async function createPolicy (options: PolicyOptions | undefined, model: PolicySetting): Promise<{ name: string, policy: Policy }> {
  const { Hi, Ho } = model.sizes
  const chosen = options ?? { policy: Hi === Ho ? identity.name : none.name }
  const kind = POLICIES.find(({ name }) => name === chosen.policy)
  if (kind === undefined) {
    const names = POLICIES.map(({ name }) => name).join(', ')
    throw new InputError('malformed', { path: '/feedback/policy', message: `expected one of ${names}, got ${JSON.stringify(chosen.policy)}` })
  }
  return { name: kind.name, policy: await kind.create(chosen, model) }
}
