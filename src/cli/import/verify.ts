import { chooseEngine } from '../../engine/choose.ts'
import { closeModels, loadModels } from '../../load.ts'
import type { Model } from '../../model/model.ts'
import { createAdmission } from '../../scheduler/admission.ts'
import { SILENT } from '../../scheduler/events.ts'
import { createScheduler } from '../../scheduler/scheduler.ts'
import { takeFirstSteps } from '../first-steps.ts'
import { showNumbers } from '../show.ts'

/** How many steps a new model takes. */
const STEPS = 3

/**
 * Loads a model's folder as the service does, and runs a few steps.
 *
 * @returns a line that reports the input and the result.
 * @throws Error if the model cannot be served, with the service's own message.
 */
export async function verify (folder: string): Promise<string> {
  const models = await loadModels(folder, {
    engine: await chooseEngine('auto'),
    maxSteps: STEPS,
    maxWork: Number.MAX_SAFE_INTEGER,
    batchRows: 1,
    admission: createAdmission(1, Number.MAX_SAFE_INTEGER),
    scheduler: createScheduler(SILENT),
    hosting: { timeout: 1, memory: 256, report: () => {} }
  })
  try {
    return await firstSteps(models[0])
  } finally {
    await closeModels(models)
  }
}

async function firstSteps (model: Model): Promise<string> {
  const { reads, made } = await takeFirstSteps(model, STEPS)
  const [field, numbers] = made[made.length - 1]
  return `${STEPS} steps of ${reads}, ${model.engine.name} engine: ${field} of the last ${showNumbers(numbers)}`
}
