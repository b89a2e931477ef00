/** Writes the OpenAPI document of the service to openapi/openapi.json. */
import { writeFile } from 'node:fs/promises'
import { readConfig } from '../src/config/settings.ts'
import { chooseEngine } from '../src/engine/choose.ts'
import { createService } from '../src/service.ts'

const config = readConfig([], {})
if (typeof config === 'string') throw new Error(config)
const { app } = await createService(config, await chooseEngine('auto'))
const answer = await fetch(`${await app.listen({ host: '127.0.0.1', port: 0 })}/openapi.json`)
if (!answer.ok) throw new Error(await answer.text())
const document: unknown = await answer.json()
await writeFile(new URL('../openapi/openapi.json', import.meta.url), `${JSON.stringify(document, null, 2)}\n`)
await app.close()
