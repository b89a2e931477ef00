import { InputError } from '../errors.ts'
import type { Model } from './model.ts'

/** The served models by name, one version of each. Other versions stay in memory for as long as somebody uses them. */
export interface Registry {
  readonly models: readonly Model[]
  /** The name of the model that answers if a request names none. */
  readonly defaultName: string | undefined
  /** By model name, why the newest files of that model are not served. */
  readonly faults: Map<string, string>
  /** How many versions are in memory. */
  readonly versions: number
  /** The model with that name, or the default model, if there is one. */
  find (name?: string): Model | undefined
  /** Like `find`. @throws InputError if there is no such model. */
  get (name?: string): Model
  /** The error that `get` throws, which lists the models. */
  missing (name?: string): InputError
  /**
   * Keeps a version in memory until the function that it returns is called.
   *
   * @throws InputError if another version has replaced it, and nobody used it any more.
   */
  hold (model: Model): () => void
  /**
   * Serves these models from now on. A version that is no longer among them is closed once nobody uses it.
   *
   * @returns the versions that are no longer served.
   * @throws Error if the default model is not among them, or several claim to be the default; nothing changes then.
   */
  replace (models: readonly Model[]): Model[]
  /** Closes every version. Call it once no request is in progress. */
  close (): Promise<void>
}

/** What is served at a time. */
interface Served {
  readonly models: readonly Model[]
  readonly byName: ReadonlyMap<string, Model>
  readonly defaultName: string | undefined
}

/**
 * The default model is the one named `defaultName`, else the one whose config.json says so, else the only one.
 *
 * @param report receives errors from closing a version.
 * @throws Error if the named one is not among the models, or several claim to be the default.
 */
export function createRegistry (models: readonly Model[], defaultName?: string, report: (error: unknown) => void = () => {}): Registry {
  let served = serve(models, defaultName)
  /** How many users each version in memory has. */
  const users = new Map(models.map((model) => [model, 0]))
  const closing = new Set<Promise<void>>()
  const faults = new Map<string, string>()

  function closeUnused (model: Model): void {
    if (users.get(model) !== 0 || served.byName.get(model.name) === model) return
    users.delete(model)
    const closed = model.close().catch(report)
    closing.add(closed)
    void closed.then(() => closing.delete(closed))
  }

  function missing (name: string | undefined): InputError {
    const names = listed(served.models)
    return new InputError('unknown', {
      path: '',
      message: name === undefined
        ? `${served.models.length > 0 ? 'several models are served and none is the default: name one in the path, as in /models/NAME/step' : 'no model is served'}; the models are ${names}`
        : `there is no model ${JSON.stringify(name)}; the models are ${names}`
    })
  }

  const find = (name = served.defaultName): Model | undefined => name === undefined ? undefined : served.byName.get(name)

  return {
    get models () { return served.models },
    get defaultName () { return served.defaultName },
    get versions () { return users.size },
    faults,
    find,
    get (name) {
      const model = find(name)
      if (model === undefined) throw missing(name)
      return model
    },
    missing,
    hold (model) {
      const count = users.get(model)
      if (count === undefined) throw new InputError('ended', { path: '', message: `model replaced: version ${model.version} of ${model.name} is no longer served` })
      users.set(model, count + 1)
      let held = true
      return () => {
        if (!held) return
        held = false
        users.set(model, (users.get(model) ?? 1) - 1)
        closeUnused(model)
      }
    },
    replace (next) {
      const before = served.models
      served = serve(next, defaultName)
      for (const model of next) if (!users.has(model)) users.set(model, 0)
      const gone = before.filter((model) => !next.includes(model))
      for (const model of gone) closeUnused(model)
      return gone
    },
    async close () {
      const left = [...users.keys()]
      users.clear()
      await Promise.all([...left.map((model) => model.close()), ...closing])
    }
  }
}

function serve (models: readonly Model[], named: string | undefined): Served {
  const byName = new Map(models.map((model) => [model.name, model]))
  if (named !== undefined && !byName.has(named)) throw new Error(`the default model ${named} does not exist; the models are ${listed(models)}`)
  const willing = models.length === 1 ? models : models.filter(({ isDefault }) => isDefault)
  if (named === undefined && willing.length > 1) throw new Error(`several models say that they are the default: ${willing.map(({ name }) => name).join(', ')}`)
  return { models, byName, defaultName: named ?? willing[0]?.name }
}

/** A message lists only the first names; `GET /models` lists all. */
function listed (models: readonly Model[]): string {
  const names = models.slice(0, MAX_LISTED).map(({ name }) => name).join(', ')
  const more = models.length - MAX_LISTED
  return more > 0 ? `${names} and ${more} more` : names === '' ? 'none' : names
}
const MAX_LISTED = 10
