import { chooseEngine } from '../../engine/choose.ts'
import { loadModel } from '../../load.ts'
import type { Model } from '../../model/model.ts'
import { createAdmission } from '../../scheduler/admission.ts'
import { SILENT } from '../../scheduler/events.ts'
import { createScheduler } from '../../scheduler/scheduler.ts'
import { openContents, readContents } from '../../weights/folder.ts'
import { ModelsError } from '../../weights/models-error.ts'
import { findPlaces } from '../../weights/places.ts'
import { EncodeError } from './encode-error.ts'
import type { Options } from './options.ts'

/**
 * Loads only the named model from the folder. It has the process to itself, so only memory limits it.
 *
 * @throws EncodeError if no model has that name.
 * @throws ModelsError if the model is broken.
 */
export async function openModel ({ model: name, config }: Options): Promise<Model> {
  const places = await findPlaces(config.models, () => {})
  const found = places.flatMap((each) => each instanceof ModelsError ? [] : each)
  const place = found.find((each) => each.name === name)
  if (place === undefined) throw new EncodeError(`${config.models}: there is no model ${name}; the models are ${found.map((each) => each.name).join(', ').slice(0, 200)}`)
  const warn = (message: string): void => { process.stderr.write(`cellserve: ${message}\n`) }
  const model = await loadModel(openContents(await readContents(place)), {
    engine: await chooseEngine(config.engine, { threads: config.threads, isa: config.isa, warn }),
    maxSteps: 2 ** 24,
    maxWork: Number.MAX_SAFE_INTEGER,
    batchRows: config['batch-rows'],
    admission: createAdmission(Infinity, Infinity),
    scheduler: createScheduler(SILENT),
    hosting: { timeout: config['feedback-timeout'], memory: config['feedback-memory'], report: (error) => { warn(error.message) } }
  }, () => {})
  if (!Array.isArray(model)) return model
  throw model[0]
}
