import { readConfig, type Config } from '../../src/config/settings.ts'
import { chooseEngine } from '../../src/engine/choose.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { createAdmission } from '../../src/scheduler/admission.ts'
import type { Hosting } from '../../src/model/policies/policy.ts'
import { SILENT } from '../../src/scheduler/events.ts'
import { createScheduler } from '../../src/scheduler/scheduler.ts'
import type { ModelDeps } from '../../src/model/model.ts'
import { createService } from '../../src/service.ts'
import type { Closing } from './closing.ts'
import { FULL } from './full.ts'

let engine: Promise<Engine> | undefined

/** The engine that the whole test suite uses, from CELLSERVE_ENGINE and CELLSERVE_ISA, as the service reads them. */
export function testEngine (): Promise<Engine> {
  const { engine: name, threads, isa } = testConfig()
  engine ??= chooseEngine(name, { threads, isa })
  return engine
}

/** The settings of the service: the environment's, overridden by these flags. */
export function testConfig (...flags: readonly string[]): Config {
  const config = readConfig(flags, process.env)
  if (typeof config === 'string') throw new Error(config)
  return config
}

/** The limits for models' own code, from the settings. */
export function testHosting (over: Partial<Hosting> = {}): Hosting {
  const config = testConfig()
  return { timeout: config['feedback-timeout'], memory: config['feedback-memory'], report: () => {}, ...over }
}

/** What all models share, for tests of models without a service. */
export async function testDeps (over: Partial<ModelDeps> = {}): Promise<ModelDeps> {
  return {
    engine: await testEngine(),
    maxSteps: 10_000,
    maxWork: 2 ** 40,
    batchRows: 64,
    hosting: testHosting(),
    admission: createAdmission(1e6, 1e9),
    scheduler: createScheduler(SILENT),
    ...over
  }
}

/**
 * Starts the service as `main.ts` does with these flags, on a free port. After the test it is closed, even if clients are connected.
 */
export async function startService (t: Closing, ...flags: readonly string[]) {
  const service = await createService(testConfig(...flags), await testEngine())
  t.after(async () => {
    const closed = service.app.close()
    service.app.server.closeAllConnections()
    await closed
  })
  await service.app.listen({ host: '127.0.0.1', port: 0 })
  return service
}

/** Starts a service for many tests. It ends with the process, and does not keep the process alive. */
export async function lastingService (...flags: readonly string[]) {
  const service = await startService({ after () {} }, ...flags)
  service.app.server.unref()
  service.app.server.on('connection', (socket) => { socket.unref() })
  return service
}

let shared: ReturnType<typeof lastingService> | undefined

/**
 * The app of a service, by default with the demo models.
 *
 * Without flags, the tests of a process share one service, because starting a service takes longer than most tests. In the full suite
 * each test has its own. A test that counts what the service does, or ends it, must use `startService`.
 */
export async function buildTestApp (t: Closing, ...flags: readonly string[]) {
  if (FULL || flags.length > 0) return (await startService(t, ...flags)).app
  shared ??= lastingService()
  return (await shared).app
}
