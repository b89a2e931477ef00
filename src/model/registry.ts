import { InputError } from '../errors.ts'
import type { Model } from './model.ts'

/** The models served, by name. */
export interface Registry {
  readonly models: readonly Model[]
  /** The name of the model that answers where a request names none. */
  readonly defaultName: string | undefined
  /**
   * The model of that name, or the default model.
   *
   * @throws InputError if there is no such model; the message lists the models.
   */
  get (name?: string): Model
}

/**
 * The default model is the one of that name, else the one whose config.json says so, else the only one.
 *
 * @throws Error where the named one is not among the models, or several say so.
 */
export function createRegistry (models: readonly Model[], defaultName?: string): Registry {
  const byName = new Map(models.map((model) => [model.name, model]))
  const names = listed([...byName.keys()])
  if (defaultName !== undefined && !byName.has(defaultName)) throw new Error(`the default model ${defaultName} is not there; the models are ${names}`)
  const willing = models.length === 1 ? models : models.filter(({ isDefault }) => isDefault)
  if (defaultName === undefined && willing.length > 1) throw new Error(`several models say that they are the default: ${willing.map(({ name }) => name).join(', ')}`)
  const fallback = defaultName ?? willing[0]?.name
  return {
    models,
    defaultName: fallback,
    get (name = fallback) {
      const model = name === undefined ? undefined : byName.get(name)
      if (model !== undefined) return model
      throw new InputError('unknown', {
        path: '',
        message: name === undefined
          ? `several models are served and none is the default: name one in the path, as in /models/NAME/step; the models are ${names}`
          : `there is no model ${JSON.stringify(name)}; the models are ${names}`
      })
    }
  }
}

/** A message has room for some of many; `GET /models` lists all. */
function listed (names: readonly string[]): string {
  const more = names.length - MAX_LISTED
  return more > 0 ? `${names.slice(0, MAX_LISTED).join(', ')} and ${more} more` : names.join(', ')
}
const MAX_LISTED = 10
