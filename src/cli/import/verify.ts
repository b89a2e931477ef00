import { chooseEngine } from '../../engine/choose.ts'
import { closeModels, loadModels } from '../../load.ts'
import type { Model } from '../../model/model.ts'
import { createAdmission } from '../../scheduler/admission.ts'
import { SILENT } from '../../scheduler/events.ts'
import { createScheduler } from '../../scheduler/scheduler.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { showNumbers } from '../show.ts'

/** How many steps a new model takes, and what it reads in each. */
const STEPS = 3
const X = 0.1

/**
 * Loads a model's folder as the service does, and takes a few steps.
 *
 * @returns a line that says what was read and answered.
 * @throws Error if it cannot be served, in the service's own words.
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
  const { width, embedding } = model.shape.sequence
  const reads = embedding === undefined ? { x: new Tensor([STEPS, width], new Float32Array(STEPS * width).fill(X)) } : { ids: new Array<number>(STEPS).fill(0) }
  const { output, y } = await model.sequence(reads)
  const made = y === undefined ? `output of the last ${showLast(output)}` : `y of the last ${showLast(y)}`
  return `${STEPS} steps of ${embedding === undefined ? `x = ${X}` : 'id 0'}, ${model.engine.name} engine: ${made}`
}

function showLast ({ data, shape }: Tensor): string {
  return showNumbers(data.subarray(data.length - shape[shape.length - 1]))
}
