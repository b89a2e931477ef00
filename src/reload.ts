import { setTimeout } from 'node:timers/promises'
import { messageOf } from './errors.ts'
import { closeModels, loadModel } from './load.ts'
import type { Model, ModelDeps } from './model/model.ts'
import type { Registry } from './model/registry.ts'
import { ModelsError, openContents } from './weights/folder.ts'
import type { ModelPlace } from './weights/places.ts'
import { startReading, type Reading } from './weights/reading.ts'
import { lookAtModels, signatureOf, type Sight } from './weights/sight.ts'

/** Brings the served models up to date with the models folder. */
export interface Reloader {
  /** Loads models that have changed, and retries those that failed before. Calls that wait at the same time share a round. */
  reload (): Promise<void>
  /** The same for one model. @throws ModelsError if the folder does not have it, or its files cannot be served. */
  load (name: string): Promise<void>
  /** Stops serving a model until `load` is called for it. @throws Error if the default model would be missing. */
  unload (name: string): void
  /** The names of the models that were unloaded. */
  readonly unloaded: ReadonlySet<string>
  /** Looks for changes at this interval. */
  watch (seconds: number): void
  close (): Promise<void>
}

export interface ReloadEvents {
  /** A version is served from now on, in place of another if the model is not new. */
  loaded (model: Model, before: Model | undefined): void
  /** A version is no longer served; another may have taken its place. */
  left (model: Model, replaced: boolean): void
  /** Files cannot be served: a model's, or else the folder's. What was served before is still served. */
  failed (model: string | undefined, message: string): void
  /** The files of a model are being written. */
  waits (model: string): void
  warn (message: string): void
}

/** How long files must stay unchanged before they are read, in milliseconds: a file that is being copied grows. */
const STEADY = 200
/** How often the load of one model looks at files that keep changing before it fails. */
const LOOKS = 50

/**
 * @param seen the folder as it was before the served models were loaded.
 */
export function createReloader (directory: string, deps: ModelDeps, registry: Registry, seen: Sight | undefined, events: ReloadEvents): Reloader {
  /** The signature of each model's files that were last judged, whatever the result. */
  const judged = new Map([...seen?.models ?? []].map(([name, { signature }]) => [name, signature]))
  const unloaded = new Set<string>()
  const warned = new Set<string>()
  const waiting = new Set<string>()
  /** What is wrong with the folder as a whole; why it was refused as a whole, and its state then. */
  let folderFault: string | undefined
  let refused: string | undefined
  let refusedPicture: string | undefined
  /** What runs now, and what runs after it. */
  let running: Promise<void> = Promise.resolve()
  const queued = new Map<string, Promise<void>>()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  function warn (message: string): void {
    if (warned.has(message)) return
    warned.add(message)
    events.warn(message)
  }

  function failFolder (message: string | undefined): void {
    if (message !== undefined && message !== folderFault) events.failed(undefined, message)
    folderFault = message
  }

  function fail (name: string, message: string): void {
    if (registry.faults.get(name) !== message) events.failed(name, message)
    registry.faults.set(name, message)
  }

  async function look (): Promise<Sight | undefined> {
    try {
      const sight = await lookAtModels(directory, warn)
      if (sight.faults.length > 0) failFolder(sight.faults.join('; '))
      else if (refused === undefined) failFolder(undefined)
      return sight
    } catch (error) {
      failFolder(messageOf(error))
      return undefined
    }
  }

  function differs (sight: Sight): boolean {
    if (refusedPicture === pictureOf(sight)) return false
    const names = [...sight.models.keys()].filter((name) => !unloaded.has(name))
    return names.some((name) => judged.get(name) !== sight.models.get(name)?.signature) || registry.models.some(({ name }) => !sight.models.has(name) && sight.faults.length === 0)
  }

  /**
   * @returns whether some files are still being written.
   * @throws ModelsError if the folder does not have the one model that is asked for.
   */
  async function round (reading: () => Reading, only: string | undefined, forced: boolean): Promise<boolean> {
    const before = closed ? undefined : await look()
    if (before === undefined || (!forced && !differs(before))) return false
    await setTimeout(STEADY)
    const now = await look()
    if (now === undefined) return false
    if (only !== undefined && !now.models.has(only)) throw new ModelsError(`${directory}: has no model ${only}`)
    const concerns = (name: string): boolean => only === undefined ? !unloaded.has(name) : only === name
    const changed = [...now.models].filter(([name, { signature }]) => concerns(name) &&
      (judged.get(name) !== signature || (forced && (registry.faults.has(name) || registry.find(name) === undefined))))
    const unsteady = new Set(changed.filter(([name, { signature }]) => before.models.get(name)?.signature !== signature).map(([name]) => name))

    const fresh = new Map<string, Model>()
    const news = new Map<string, string>()
    for (const [name, { place, signature }] of changed) {
      if (closed) break
      if (unsteady.has(name)) continue
      const made = await make(reading(), place)
      // Files that were replaced while they were read are judged again.
      if (await signatureOf(place) !== signature) {
        if (typeof made === 'object') await made.close()
        unsteady.add(name)
        continue
      }
      news.set(name, signature)
      if (typeof made === 'string') fail(name, made)
      else registry.faults.delete(name)
      if (typeof made === 'object') fresh.set(name, made)
    }
    const isGone = ({ name }: Model): boolean => only === undefined && now.faults.length === 0 && !now.models.has(name) && !before.models.has(name)
    try {
      swap(fresh, isGone)
      refused = undefined
      refusedPicture = undefined
      for (const [name, signature] of news) judged.set(name, signature)
      for (const name of [...judged.keys(), ...registry.faults.keys()]) if (only === undefined && !now.models.has(name) && now.faults.length === 0) forget(name)
    } catch (error) {
      await closeModels([...fresh.values()])
      refused = `nothing is reloaded: ${messageOf(error)}`
      refusedPicture = pictureOf(now)
      failFolder(refused)
    }
    for (const name of unsteady) if (!waiting.has(name)) events.waits(name)
    waiting.clear()
    for (const name of unsteady) waiting.add(name)
    const vanishing = registry.models.some((model) => concerns(model.name) && !now.models.has(model.name) && before.models.has(model.name))
    return unsteady.size > 0 || vanishing
  }

  function forget (name: string): void {
    judged.delete(name)
    registry.faults.delete(name)
  }

  /** @returns a model, what is wrong with its files, or undefined if the served version has the same files. */
  async function make (reading: Reading, place: ModelPlace): Promise<Model | string | undefined> {
    try {
      const contents = await reading.read(place)
      if (contents.version === registry.find(place.name)?.version) return undefined
      const made = await loadModel(openContents(contents), deps, warn)
      return Array.isArray(made) ? made.map(({ message }) => message).join('; ') : made
    } catch (error) {
      return messageOf(error)
    }
  }

  /** Swaps the models between two requests. @throws Error if the default model would be missing, or there would be several. */
  function swap (fresh: ReadonlyMap<string, Model>, isGone: (model: Model) => boolean): void {
    const before = new Map(registry.models.map((model) => [model.name, model]))
    const kept = registry.models.filter((model) => !isGone(model)).map((model) => fresh.get(model.name) ?? model)
    const added = [...fresh.values()].filter(({ name }) => !before.has(name))
    if (fresh.size === 0 && kept.length === before.size) return
    const left = registry.replace([...kept, ...added])
    for (const model of left) events.left(model, fresh.has(model.name))
    for (const model of fresh.values()) events.loaded(model, before.get(model.name))
  }

  async function run (only: string | undefined, forced: boolean): Promise<void> {
    let reading: Reading | undefined
    const start = (): Reading => {
      reading ??= startReading()
      return reading
    }
    try {
      for (let looks = 0; await round(start, only, forced); looks++) {
        if (only !== undefined && looks === LOOKS) throw new ModelsError(`${directory}: the files of ${only} keep changing`)
      }
    } finally {
      await reading?.close()
    }
  }

  function enqueue (only: string | undefined, forced: boolean): Promise<void> {
    const key = JSON.stringify([only ?? null, forced])
    const before = queued.get(key)
    if (before !== undefined) return before
    const job = running.then(async () => {
      queued.delete(key)
      await run(only, forced)
    })
    queued.set(key, job)
    running = job.catch((error: unknown) => { if (!(error instanceof ModelsError)) failFolder(messageOf(error)) })
    return job
  }

  return {
    unloaded,
    reload: async () => { await enqueue(undefined, true).catch(() => {}) },
    async load (name) {
      unloaded.delete(name)
      await enqueue(name, true)
      const fault = registry.faults.get(name) ?? refused ?? (registry.find(name) === undefined ? folderFault : undefined)
      if (fault !== undefined) throw new ModelsError(fault)
    },
    unload (name) {
      const gone = registry.replace(registry.models.filter((model) => model.name !== name))
      unloaded.add(name)
      forget(name)
      for (const model of gone) events.left(model, false)
    },
    watch (seconds) {
      timer = setInterval(() => { if (queued.size === 0) enqueue(undefined, false).catch(() => {}) }, 1000 * seconds).unref()
    },
    async close () {
      closed = true
      clearInterval(timer)
      await running
    }
  }
}

function pictureOf ({ models, faults }: Sight): string {
  return JSON.stringify([[...models].map(([name, { signature }]) => [name, signature]), faults])
}
