/** Writes the OpenAPI document of the service to openapi/openapi.json, and as OpenAPI 3.0 to openapi/openapi-3.0.json. */
import { writeFile } from 'node:fs/promises'
import { readConfig } from '../src/config/settings.ts'
import { chooseEngine } from '../src/engine/choose.ts'
import { createService } from '../src/service.ts'
import { toOpenapi30 } from './openapi-3.0.ts'

const config = readConfig([], {})
if (typeof config === 'string') throw new Error(config)
const { app } = await createService(config, await chooseEngine('auto'))
const answer = await fetch(`${await app.listen({ host: '127.0.0.1', port: 0 })}/openapi.json`)
if (!answer.ok) throw new Error(await answer.text())
const document: unknown = await answer.json()
for (const [name, written] of [['openapi.json', document], ['openapi-3.0.json', toOpenapi30(Object(document))]] as const) {
  await writeFile(new URL(`../openapi/${name}`, import.meta.url), `${JSON.stringify(written, null, 2)}\n`)
}
await app.close()
