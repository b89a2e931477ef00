import type { TestContext } from 'node:test'
import type { FastifyInstance } from 'fastify'
import { buildApp, type AppOptions } from '../src/app.ts'
import { chooseEngine } from '../src/engine/choose.ts'
import type { Engine } from '../src/engine/engine.ts'
import { loadModels } from '../src/load.ts'
import { createRegistry } from '../src/model/registry.ts'

/** The engine that the whole test suite uses: CELLSERVE_ENGINE, as the service reads it. */
let engine: Promise<Engine> | undefined

export function testEngine (): Promise<Engine> {
  const name = process.env.CELLSERVE_ENGINE ?? 'auto'
  if (name !== 'auto' && name !== 'native' && name !== 'tfjs') throw new Error(`CELLSERVE_ENGINE is ${name}`)
  engine ??= chooseEngine(name)
  return engine
}

export interface TestAppOptions extends Partial<Pick<AppOptions, 'bodyLimit' | 'logger'>> {
  readonly models?: string
  readonly defaultModel?: string | null
  readonly maxSteps?: number
  /** What has to be done to the app before it listens. */
  readonly prepare?: (app: FastifyInstance) => void
}

/** The app as `main.ts` builds it, on the demo models, listening on a free port; it is closed after the test. */
export async function buildTestApp (t: Pick<TestContext, 'after'>, options: TestAppOptions = {}) {
  const { models = 'models', defaultModel = 'custom-lstm', maxSteps = 65536, bodyLimit = 2 ** 24, logger, prepare } = options
  const engine = await testEngine()
  const registry = createRegistry(await loadModels(models, engine, maxSteps), defaultModel ?? undefined)
  const app = await buildApp({ registry, engine, bodyLimit, ...(logger !== undefined && { logger }) })
  t.after(() => app.close())
  prepare?.(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return app
}
