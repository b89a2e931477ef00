import { createAdmission } from '../../src/scheduler/admission.ts'
import { createScheduler } from '../../src/scheduler/scheduler.ts'
import { createPolicy } from '../../src/model/policies/policies.ts'
import { createModel, type ModelDeps } from '../../src/model/model.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { testEngine, testDeps, testHosting } from './app.ts'
import { drawCell } from './networks.ts'
import { createRandom, randomFloats } from './random.ts'
import { bareLayers } from './reference.ts'

export interface Call {
  readonly rows: number
  readonly steps: number
}

/** A model with the identity policy, and the engine calls that it makes. */
export async function buildModel (size = 5, over: Partial<ModelDeps> = {}) {
  const calls: Call[] = []
  const admission = createAdmission(100_000, 1e9)
  const deps = await testDeps({
    admission,
    maxSteps: 1e6,
    scheduler: createScheduler({ computed: (_, rows, steps) => { calls.push({ rows, steps }) }, began: () => {}, queued: () => {} }),
    ...over
  })
  const cell = drawCell({ I: 3, Hi: size, Ho: size }, createRandom(1))
  const layers = bareLayers(cell)
  const policy = await createPolicy(undefined, { layers, folder: undefined, tensor: () => { throw new Error('none') }, tensors: () => [], hosting: testHosting() })
  return { model: await createModel({ name: 'test', version: '1', layers, policy }, deps), calls, admission: deps.admission }
}

export const stepsOf = (calls: readonly Call[]): number => calls.reduce((sum, { rows, steps }) => sum + rows * steps, 0)

/** A tensor of random numbers. */
export function tensor (...shape: number[]): Tensor {
  return new Tensor(shape, randomFloats(shape.reduce((a, b) => a * b), createRandom(shape.length)))
}

export const isNative = async (): Promise<boolean> => (await testEngine()).name === 'native'
