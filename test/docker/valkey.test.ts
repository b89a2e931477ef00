import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { parse } from 'yaml'
import { readConfig } from '../../src/config/settings.ts'
import { storeAddress } from '../../src/config/store-address.ts'
import { onlyFull } from '../support/full.ts'
import { startValkey, withValkey } from '../support/valkey.ts'
import { imageEnvironment } from './image.ts'
import { read, typeErrors } from './manifests.ts'

interface Kustomization {
  resources: string[]
  patches: Array<{ target: { kind: string, name: string }, patch: string }>
}

interface Operation {
  op: string
  path: string
  value: unknown
}

const kustomization: Kustomization = parse(await readFile('docker/kubernetes-valkey/kustomization.yaml', 'utf8'))
const store = await read('docker/kubernetes-valkey/statefulset.yaml')
const service = await read('docker/kubernetes-valkey/service.yaml')
const policy = await read('docker/kubernetes-valkey/networkpolicy.yaml')
const deployment = await read('docker/kubernetes/deployment.yaml')
const base = await read('docker/kubernetes/networkpolicy.yaml')
const [container] = store.spec?.template.spec?.containers ?? []

/** What Kustomize makes of a manifest. */
function patched<T extends object> (kind: string, manifest: T): T {
  const copy = structuredClone(manifest)
  for (const { target, patch } of kustomization.patches) {
    if (target.kind !== kind || target.name !== 'cellserve') continue
    const operations: Operation[] = parse(patch)
    for (const { op, path, value } of operations) {
      const names = path.split('/').slice(1)
      const last = names.pop() ?? ''
      const place: object = names.reduce<object>((outer, name) => Object(Reflect.get(outer, name)), copy)
      assert.equal(Reflect.has(place, last), op === 'replace', path)
      Reflect.set(place, last, value)
    }
  }
  return copy
}

const served = patched('Deployment', deployment)
const guarded = patched('NetworkPolicy', base)

test('the manifests, and what the overlay makes of the base, are of their kinds\' schemas', { timeout: 120_000, ...onlyFull('compiles the kinds of Kubernetes') }, async () => {
  const [errors] = await typeErrors({
    'docker/kubernetes-valkey/statefulset.yaml': store,
    'docker/kubernetes-valkey/service.yaml': service,
    'docker/kubernetes-valkey/networkpolicy.yaml': policy,
    'docker/kubernetes/deployment.yaml': served,
    'docker/kubernetes/networkpolicy.yaml': guarded
  })
  assert.deepEqual(errors, [])
  assert.notDeepEqual(served, deployment)
  assert.notDeepEqual(guarded, base)
})

test('Kustomize takes every manifest, and the base', async () => {
  const files = (await readdir('docker/kubernetes-valkey')).filter((name) => name !== 'kustomization.yaml')
  assert.deepEqual(kustomization.resources.toSorted(), ['../kubernetes', ...files].toSorted())
})

test('what selects the store selects it, and no pod of cellserve', () => {
  const labels = store.spec?.template.metadata?.labels
  assert.ok(labels)
  for (const selector of [store.spec?.selector.matchLabels, service.spec?.selector, policy.spec?.podSelector?.matchLabels, guarded.spec?.egress?.[0].to?.[0].podSelector?.matchLabels]) assert.deepEqual(selector, labels)
  assert.notDeepEqual(labels, deployment.spec?.template.metadata?.labels)
  assert.deepEqual(policy.spec?.ingress?.[0].from?.[0].podSelector?.matchLabels, deployment.spec?.template.metadata?.labels)
  const [port] = container.ports ?? []
  for (const name of [service.spec?.ports?.[0].targetPort, policy.spec?.ingress?.[0].ports?.[0].port, guarded.spec?.egress?.[0].ports?.[0].port]) assert.equal(name, port.name)
  assert.equal(service.spec?.ports?.[0].port, port.containerPort)
})

test('cellserve takes the address of the store, and passes over the variables that its Service makes', async () => {
  const [variable] = served.spec?.template.spec?.containers[0].env ?? []
  const text = await readFile('docker/kubernetes-valkey/kustomization.yaml', 'utf8')
  const url = (/--from-literal=url=(\S+)/.exec(text)?.[1] ?? '').replace('$password', '0123456789abcdef')
  const config = readConfig([], {
    ...await imageEnvironment(),
    [variable.name]: url,
    CELLSERVE_VALKEY_SERVICE_HOST: '10.0.0.2',
    CELLSERVE_VALKEY_SERVICE_PORT_VALKEY: '6379',
    CELLSERVE_VALKEY_PORT: 'tcp://10.0.0.2:6379',
    CELLSERVE_VALKEY_PORT_6379_TCP_ADDR: '10.0.0.2'
  })
  assert.ok(typeof config === 'object')
  assert.deepEqual(storeAddress(config.sessions), { host: service.metadata?.name, port: service.spec?.ports?.[0].port, db: 0, tls: false, password: '0123456789abcdef' })
  const secret = { name: variable.valueFrom?.secretKeyRef?.name, keys: [variable.valueFrom?.secretKeyRef?.key, container.env?.[0].valueFrom?.secretKeyRef?.key] }
  assert.deepEqual(secret, { name: container.env?.[0].valueFrom?.secretKeyRef?.name, keys: ['url', 'password'] })
  for (const key of secret.keys) assert.ok(text.includes(`secret generic ${secret.name} `) && text.includes(`--from-literal=${key}=`))
})

test('the store takes its flags, writes before it answers, and evicts nobody', withValkey, async (t) => {
  const { services }: { services: { valkey: { command: string[], volumes: string[], image: string, ports?: string[] } } } = parse(await readFile('docker/compose.valkey.yaml', 'utf8'))
  const { command: [program, ...flags], volumes: [volume], image, ports } = services.valkey
  assert.deepEqual([program, container.command], ['valkey-server', ['valkey-server']])
  assert.deepEqual([volume.split(':')[1], container.workingDir, container.volumeMounts?.[0].mountPath], ['/data', '/data', '/data'])
  assert.deepEqual([image, ports], [container.image, undefined])
  const password = flags[1]
  assert.match(password, /^\$\{VALKEY_PASSWORD:\?.+\}$/)
  assert.deepEqual(flags.with(1, '$(PASSWORD)'), container.args)
  const server = await startValkey(t, ...flags.with(1, 'correct-horse'))
  assert.match(await server.command('INFO'), /NOAUTH/)
  const settings = (await server.commands(['AUTH', 'correct-horse'], ['CONFIG', 'GET', '[am][pa][px][em]*'])).replaceAll(/\r\n\$\d+\r\n/g, ' ')
  for (const setting of ['appendonly yes', 'appendfsync always', 'maxmemory 536870912', 'maxmemory-policy noeviction']) assert.ok(settings.includes(setting), `${setting} in ${settings}`)
})

test('the address in the Compose file is one that cellserve takes', async () => {
  const { services: { cellserve, valkey } }: { services: { cellserve: { environment: Record<string, string>, depends_on: string[] }, valkey: object } } = parse(await readFile('docker/compose.valkey.yaml', 'utf8'))
  const url = cellserve.environment.CELLSERVE_SESSIONS.replace(/\$\{VALKEY_PASSWORD:\?[^}]+\}/, 'correct-horse')
  assert.deepEqual(storeAddress(url), { host: 'valkey', port: 6379, db: 0, tls: false, password: 'correct-horse' })
  assert.ok('image' in valkey)
  assert.deepEqual(cellserve.depends_on, ['valkey'])
})
