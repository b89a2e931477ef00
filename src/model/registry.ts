import { Refusal } from '../refusal.ts'
import type { Model } from './model.ts'

/** The models served, by name. */
export interface Registry {
  readonly models: readonly Model[]
  /** The name of the model that answers where a request names none. */
  readonly defaultName: string | undefined
  /**
   * The model of that name, or the default model.
   *
   * @throws Refusal where there is none; it lists those that there are.
   */
  get (name?: string): Model
}

/** @throws Error where the default model is not among the models. */
export function createRegistry (models: readonly Model[], defaultName?: string): Registry {
  const byName = new Map(models.map((model) => [model.name, model]))
  const names = [...byName.keys()].join(', ')
  if (defaultName !== undefined && !byName.has(defaultName)) throw new Error(`the default model ${defaultName} is not there; the models are ${names}`)
  const fallback = defaultName ?? (models.length === 1 ? models[0].name : undefined)
  return {
    models,
    defaultName: fallback,
    get (name = fallback) {
      const model = name === undefined ? undefined : byName.get(name)
      if (model !== undefined) return model
      throw new Refusal('unknown', {
        path: '',
        message: name === undefined
          ? `several models are served and none is the default: name one in the path, as in /models/NAME/step; the models are ${names}`
          : `there is no model ${JSON.stringify(name)}; the models are ${names}`
      })
    }
  }
}
