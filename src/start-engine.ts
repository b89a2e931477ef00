import type { FastifyBaseLogger } from 'fastify'
import type { Config } from './config/settings.ts'
import { chooseEngine } from './engine/choose.ts'
import type { Engine } from './engine/engine.ts'

/** Starts the engine of a process that serves. @throws Error if the engine is not available. */
export async function startEngine ({ engine, threads, isa }: Config, logger: FastifyBaseLogger): Promise<Engine> {
  return await chooseEngine(engine, { threads, isa, warn: (reason) => logger.warn(`${reason}. TensorFlow.js computes instead, many times slower`) })
}
