/** Writes the OpenAPI document of the service to openapi/openapi.json. */
import { writeFile } from 'node:fs/promises'
import { readConfig } from '../src/config/settings.ts'
import { chooseEngine } from '../src/engine/choose.ts'
import { createService } from '../src/service.ts'

const config = readConfig([], {})
if (typeof config === 'string') throw new Error(config)
const { app } = await createService(config, await chooseEngine('auto'))
const url = await app.listen({ host: '127.0.0.1', port: 0 })
const document: unknown = await (await fetch(`${url}/openapi.json`)).json()
await writeFile(new URL('../openapi/openapi.json', import.meta.url), `${JSON.stringify(document, null, 2)}\n`)
await app.close()
