import { Writable } from 'node:stream'
import type { TestContext } from 'node:test'
import { pino, type Level } from 'pino'
import supertest from 'supertest'
import { createService } from '../../src/service.ts'
import { testConfig, testEngine } from './app.ts'

/** Starts a service, and collects all that it logs. */
export async function logged (t: TestContext, level: Level, ...flags: string[]) {
  let text = ''
  const sink = new Writable({
    write (chunk, _encoding, done) {
      text += String(chunk)
      done()
    }
  })
  const { app } = await createService(testConfig(...flags), await testEngine(), pino({ level }, sink))
  t.after(() => app.close())
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, request: supertest(app.server), lines: () => text.trim().split('\n').map((line): Record<string, unknown> => JSON.parse(line)), text: () => text }
}
