/** Writes the OpenAPI document of the service to openapi/openapi.json. */
import { writeFile } from 'node:fs/promises'
import { buildApp } from '../src/app.ts'
import { createRegistry } from '../src/model/registry.ts'

const app = await buildApp({ registry: createRegistry([]), engine: { name: 'none', backend: 'none' }, bodyLimit: 2 ** 24 })
await app.ready()
await writeFile(new URL('../openapi/openapi.json', import.meta.url), `${JSON.stringify(app.swagger(), null, 2)}\n`)
await app.close()
