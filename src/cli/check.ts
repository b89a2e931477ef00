import { messageOf } from '../errors.ts'
import { ConfigError } from '../config/config-error.ts'
import { readConfig, type Config } from '../config/settings.ts'
import { chooseEngine } from '../engine/choose.ts'
import { closeModels, loadAll } from '../load.ts'
import type { Model } from '../model/model.ts'
import { createRegistry } from '../model/registry.ts'
import { createAdmission } from '../scheduler/admission.ts'
import { SILENT } from '../scheduler/events.ts'
import { createScheduler } from '../scheduler/scheduler.ts'
import { createProgress } from './progress.ts'
import { takeFirstSteps } from './first-steps.ts'
import { showNumbers } from './show.ts'

/**
 * `cellserve check`: loads a folder as the service would with these flags, and prints each model's description and its first step.
 * Each fault is one line on standard error.
 *
 * @returns 1 if there is a fault, otherwise 0.
 * @throws ConfigError
 * @throws ModelsError if the folder cannot be read or contains no model.
 */
export async function runCheck ([folder, ...flags]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  if (folder === undefined || folder.startsWith('-')) throw new ConfigError(`check: expected a FOLDER, got ${folder ?? 'none'}`)
  const config = readConfig([...flags, '--models', folder], env)
  if (typeof config === 'string') throw new ConfigError(`check: --${config} is for the service`)
  const faults: string[] = []
  const { models, faults: broken } = await load(config, (error) => faults.push(error.message))
  faults.push(...broken.map(({ message }) => message))
  try {
    // A broken model that is also the default model counts as one fault, not two.
    if (broken.length === 0 || config['default-model'] === undefined) faults.push(...faultOf(() => createRegistry(models, config['default-model'])))
    for (const model of models) {
      const step = await firstStep(model).catch((error: unknown) => {
        faults.push(`model ${model.name}: its first step: ${messageOf(error)}`)
        return 'none'
      })
      process.stdout.write(describe(model, step))
    }
  } finally {
    await closeModels(models)
  }
  process.stdout.write(`${count(models.length, 'model')}, ${bytesOf(models.reduce((sum, model) => sum + model.weightBytes, 0))} of weights, ${count(faults.length, 'fault')}\n`)
  for (const fault of faults) process.stderr.write(`cellserve: ${fault}\n`)
  return faults.length === 0 ? 0 : 1
}

async function load (config: Config, report: (error: Error) => void): ReturnType<typeof loadAll> {
  const progress = createProgress(process.stderr, false)
  const say = (message: string): void => {
    progress.clear()
    process.stdout.write(`warning: ${message}\n`)
  }
  return await loadAll(config.models, {
    engine: await chooseEngine(config.engine, { threads: config.threads, isa: config.isa, warn: say }),
    maxSteps: config['max-steps'],
    batchRows: config['batch-rows'],
    maxWork: config['max-work'],
    admission: createAdmission(config['max-rows'], config['max-bytes']),
    scheduler: createScheduler(SILENT),
    hosting: { timeout: config['feedback-timeout'], memory: config['feedback-memory'], report }
  }, say, (done, of) => progress.show(done / of, `${done} of ${count(of, 'model')}`)).finally(() => progress.clear())
}

async function firstStep (model: Model): Promise<string> {
  const { reads, made } = await takeFirstSteps(model, 1)
  return `${reads}: ${made.map(([field, numbers]) => `${field} ${showNumbers(numbers)}`).join(', ')}`
}

function describe (model: Model, step: string): string {
  const { name, cell: { kind, activation, gate }, shape: { layers, directions, I, sequence, Hi, Ho }, policy, readout, unusedTensors, engine } = model
  const { embedding, width } = sequence
  const gates = gate === 'sigmoid' ? 'sigmoid' : `hard sigmoid of slope ${gate.slope}`
  const rows = [
    ['cell', `${kind.toUpperCase()}, ${kind === 'rnn' ? '' : `${gates}, `}${activation}`],
    ['sizes', `I = ${I}, Hi = ${Hi}, Ho = ${Ho}${embedding === undefined && width !== I ? `; x of a sequence: ${width}` : ''}`],
    ...(embedding === undefined ? [] : [['input', `ids from 0 to ${embedding.vocabulary - 1}`]]),
    ['layers', `${layers}, ${count(directions, 'direction')}`],
    ['feedback', JSON.stringify(policy.options)],
    ...(readout === undefined ? [] : [['readout', `${JSON.stringify(readout)}; K = ${sequence.y}`]]),
    ['unused', unusedTensors.join(', ') || 'no tensor'],
    ['weights', `${model.parameters} numbers, ${bytesOf(model.weightBytes)}${model.precision === 'f32' ? '' : ` as ${model.precision}`}`],
    ['first step', `${step} (${engine.name}, ${engine.backend})`]
  ]
  return [name, ...rows.map(([title, text]) => `  ${title.padEnd(10)}  ${text}`), '', ''].join('\n')
}

function bytesOf (bytes: number): string {
  return bytes < 2 ** 20 ? `${bytes} bytes` : `${(bytes / 2 ** 20).toFixed(1)} MiB`
}

function count (number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`
}

function faultOf (work: () => unknown): string[] {
  try {
    work()
    return []
  } catch (error) {
    return [messageOf(error)]
  }
}
