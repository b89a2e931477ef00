import { computed, signal } from '@preact/signals'
import { Problem } from '../../../clients/typescript/src/client.ts'
import { createForm, type Form } from '../input/form.ts'
import { messageOf } from './message.ts'
import type { Model } from './model.ts'
import { client } from './service.ts'

/** The served models; undefined until they are loaded. */
export const models = signal<readonly Model[] | undefined>(undefined)
/** Why loading failed. */
export const trouble = signal<string | undefined>(undefined)
/** Whether the service asks for a key, or for another one. */
export const locked = signal(false)

/** The name of the chosen model. */
export const chosen = signal<string | undefined>(undefined)

export const model = computed(() => models.value?.find(({ name }) => name === chosen.value))

const forms = new Map<string, { readonly version: string, readonly form: Form }>()

/** The form of a model, which keeps its contents while another model is chosen. */
export function formOf (served: Model): Form {
  const { name, version } = served
  const known = forms.get(name)
  if (known?.version === version) return known.form
  const form = createForm(served)
  forms.set(name, { version, form })
  return form
}

export async function loadModels (): Promise<void> {
  try {
    const served: readonly Model[] = await client.value.models()
    models.value = served
    trouble.value = undefined
    locked.value = false
    if (model.value === undefined) chosen.value = (served.find((each) => each.default) ?? served.at(0))?.name
  } catch (error) {
    locked.value = error instanceof Problem && error.status === 401
    trouble.value = locked.value ? undefined : `The models cannot be loaded: ${messageOf(error)}`
  }
}
