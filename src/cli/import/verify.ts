import { chooseEngine } from '../../engine/choose.ts'
import { closeModels, loadModels } from '../../load.ts'
import type { Model } from '../../model/model.ts'
import { createAdmission } from '../../scheduler/admission.ts'
import { createScheduler } from '../../scheduler/scheduler.ts'
import { Tensor } from '../../tensor/tensor.ts'

/** How many steps a new model takes, and what it reads in each. */
const STEPS = 3
const X = 0.1
const SHOWN = 4

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
    scheduler: createScheduler({ computed: () => {}, began: () => {}, queued: () => {} }),
    hosting: { timeout: 1, memory: 256, report: () => {} }
  })
  try {
    return await firstSteps(models[0])
  } finally {
    await closeModels(models)
  }
}

async function firstSteps (model: Model): Promise<string> {
  const { I } = model.shape
  const { output } = await model.sequence({ x: new Tensor([STEPS, I], new Float32Array(STEPS * I).fill(X)) })
  return `${STEPS} steps of x = ${X}, ${model.engine.name} engine: output of the last ${show(output)}`
}

function show ({ data, shape }: Tensor): string {
  const last = data.subarray(data.length - shape[shape.length - 1])
  return `[${[...last.subarray(0, SHOWN)].map((value) => value.toFixed(6)).join(', ')}${last.length > SHOWN ? ', ...' : ''}]`
}
