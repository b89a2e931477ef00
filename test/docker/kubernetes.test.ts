import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { Container, PodSecurityContext } from 'kubernetes-types/core/v1.js'
import supertest from 'supertest'
import { parse } from 'yaml'
import { readOptions } from '../../src/cli/encode/options.ts'
import { readConfig, type Config } from '../../src/config/settings.ts'
import { version } from '../../src/version.ts'
import { buildTestApp, testConfig } from '../support/app.ts'
import { onlyFull } from '../support/full.ts'
import { imageEnvironment } from './image.ts'
import { read, typeErrors } from './manifests.ts'

const deployment = await read('docker/kubernetes/deployment.yaml')
const service = await read('docker/kubernetes/service.yaml')
const autoscaler = await read('docker/kubernetes/horizontalpodautoscaler.yaml')
const budget = await read('docker/kubernetes/poddisruptionbudget.yaml')
const policy = await read('docker/kubernetes/networkpolicy.yaml')
const job = await read('docker/kubernetes/encode-job.yaml')
const runtime = await read('docker/kserve/servingruntime.yaml')
const inference = await read('docker/kserve/inferenceservice.yaml')
const pod = deployment.spec?.template.spec ?? assert.fail('no pod')

test('the manifests are of their kinds\' schemas, and hold no field that these do not know', { timeout: 120_000, ...onlyFull('compiles the kinds of Kubernetes') }, async () => {
  const [errors, [misspelt, ...others]] = await typeErrors({
    'docker/kubernetes/deployment.yaml': deployment,
    'docker/kubernetes/service.yaml': service,
    'docker/kubernetes/horizontalpodautoscaler.yaml': autoscaler,
    'docker/kubernetes/poddisruptionbudget.yaml': budget,
    'docker/kubernetes/networkpolicy.yaml': policy,
    'docker/kubernetes/encode-job.yaml': job,
    'docker/kserve/servingruntime.yaml': runtime,
    'docker/kserve/inferenceservice.yaml': inference
  }, {
    'docker/kubernetes/deployment.yaml': { ...deployment, spec: { ...deployment.spec, replica: 2 } }
  })
  assert.deepEqual(errors, [])
  assert.match(misspelt, /'"replica"' does not exist in type 'DeploymentSpec'/)
  assert.deepEqual(others, [])
})

test('Kustomize takes every manifest', async () => {
  const { resources }: { resources: string[] } = parse(await readFile('docker/kubernetes/kustomization.yaml', 'utf8'))
  const files = await readdir('docker/kubernetes')
  assert.deepEqual(resources.toSorted(), files.filter((name) => !['kustomization.yaml', 'prometheus-adapter.yaml', 'encode-job.yaml'].includes(name)).toSorted())
})

test('what selects pods selects those of the deployment', () => {
  const labels = deployment.spec?.template.metadata?.labels
  assert.ok(labels)
  const selectors = [
    deployment.spec?.selector.matchLabels,
    service.spec?.selector,
    budget.spec?.selector?.matchLabels,
    policy.spec?.podSelector?.matchLabels,
    ...(pod.topologySpreadConstraints ?? []).map(({ labelSelector }) => labelSelector?.matchLabels)
  ]
  assert.equal(selectors.length, 6)
  for (const selector of selectors) assert.deepEqual(selector, labels)
  assert.deepEqual(autoscaler.spec?.scaleTargetRef, { apiVersion: deployment.apiVersion, kind: deployment.kind, name: deployment.metadata?.name })
})

test('traffic for the service comes to the port that cellserve listens on', async () => {
  const [container] = pod.containers
  const [port] = container.ports ?? []
  assert.equal(port.containerPort, (await configOf(container)).port)
  assert.equal(service.spec?.ports?.[0].targetPort, port.name)
  assert.equal(policy.spec?.ingress?.[0].ports?.[0].port, port.name)
  assert.equal(deployment.spec?.template.metadata?.annotations?.['prometheus.io/port'], String(port.containerPort))
})

for (const [name, { containers }] of Object.entries({ Deployment: pod, ServingRuntime: runtime.spec })) {
  const [container] = containers

  test(`${name}: cellserve accepts its flags, and the probes ask for its health at its address`, async (t) => {
    const config = await configOf(container)
    const request = supertest((await buildTestApp(t)).server)
    for (const probe of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
      const { path, port } = probe?.httpGet ?? assert.fail('no probe')
      assert.ok(port === config.port || container.ports?.some((known) => known.name === port && known.containerPort === config.port), `port ${port}`)
      await request.get(path ?? '/').expect(200, { status: 'ok' })
    }
    // While it drains, it is alive but not ready.
    assert.equal(container.readinessProbe?.httpGet?.path, '/health/ready')
    assert.equal(container.livenessProbe?.httpGet?.path, '/health/live')
  })

  mayDoNothingElse(name, container, name === 'Deployment' ? pod.securityContext : undefined)
}

function mayDoNothingElse (name: string, container: Container, ofPod: PodSecurityContext | undefined): void {
  test(`${name}: it may do nothing that it need not`, () => {
    const { securityContext } = container
    assert.equal(securityContext?.readOnlyRootFilesystem, true)
    assert.equal(securityContext?.allowPrivilegeEscalation, false)
    assert.deepEqual(securityContext?.capabilities, { drop: ['ALL'] })
    const context = { ...ofPod, ...securityContext }
    assert.equal(context.runAsNonRoot, true)
    assert.equal(context.runAsUser, 1000)
    assert.deepEqual(context.seccompProfile, { type: 'RuntimeDefault' })
    assert.ok(container.resources?.requests?.memory && container.resources.limits?.memory)
    assert.equal(container.image, `cellserve:${version}`)
  })
}

test('Job: each pod encodes a shard of its own into a file of its own, and goes on with it', async () => {
  const { completionMode, completions = 0, template } = job.spec ?? assert.fail('no spec')
  const { containers: [{ args = [], volumeMounts, env = [] }], volumes } = template.spec ?? assert.fail('no pod')
  assert.equal(completionMode, 'Indexed')
  assert.deepEqual(env, [])
  const pods = await Promise.all(Array.from({ length: completions }, async (_, index) => {
    return readOptions(args.slice(1).map((arg) => arg.replaceAll('$(JOB_COMPLETION_INDEX)', String(index))), await imageEnvironment())
  }))
  assert.equal(args[0], 'encode')
  assert.deepEqual(pods.map(({ shard }) => shard), pods.map((_, index) => ({ index, count: completions })))
  assert.equal(new Set(pods.map(({ output }) => output)).size, completions)
  assert.ok(pods.every(({ resume, input, output }) => resume && [input, output].every((path) => path.startsWith(`${volumeMounts?.[0].mountPath}/`))))
  assert.equal(volumes?.[0].name, volumeMounts?.[0].name)
})

mayDoNothingElse('Job', job.spec?.template.spec?.containers[0] ?? assert.fail('no container'), job.spec?.template.spec?.securityContext)

test('a pod has the time that a drain takes', async () => {
  const graceOf = (args: readonly string[] = []): number => testConfig(...args).grace
  for (const [{ lifecycle, args }, patience = 0] of [
    [pod.containers[0], pod.terminationGracePeriodSeconds],
    [runtime.spec.containers[0], inference.spec.predictor.terminationGracePeriodSeconds]
  ] as const) {
    const before = lifecycle?.preStop?.sleep?.seconds ?? assert.fail('no preStop')
    assert.ok(args?.includes('--grace'))
    assert.ok(patience > before + graceOf(args), `${patience} > ${before} + ${graceOf(args)}`)
  }
  const { services: { cellserve } }: { services: { cellserve: { stop_grace_period: string, command: string[] } } } = parse(await readFile('docker/compose.yaml', 'utf8'))
  assert.ok(parseInt(cellserve.stop_grace_period) > graceOf(cellserve.command))
})

test('replicas are added for a metric that there is, by the batch', async (t) => {
  const { text } = await supertest((await buildTestApp(t)).server).get('/metrics').expect(200)
  const queued = autoscaler.spec?.metrics?.find(({ type }) => type === 'Pods')?.pods
  const name = queued?.metric.name ?? assert.fail('no metric')
  assert.match(text, new RegExp(`^# TYPE ${name} gauge$`, 'm'))
  assert.equal(Number(queued?.target.averageValue), (await configOf(pod.containers[0]))['batch-rows'])
  const { rules }: { rules: { custom: Array<{ seriesQuery: string, metricsQuery: string }> } } = parse(await readFile('docker/kubernetes/prometheus-adapter.yaml', 'utf8'))
  for (const query of Object.values(rules.custom[0])) if (typeof query === 'string') assert.ok(query.includes(`${name}{`), query)
})

test('KServe finds the runtime for the model, and its storage where the runtime looks', async () => {
  const { model } = inference.spec.predictor
  assert.equal(model.runtime, runtime.metadata.name)
  assert.ok(runtime.spec.supportedModelFormats?.some(({ name, version }) => name === model.modelFormat.name && version === model.modelFormat.version))
  assert.ok(model.protocolVersion === 'v2' && runtime.spec.protocolVersions?.includes(model.protocolVersion))
  const [container] = runtime.spec.containers
  assert.equal(container.name, 'kserve-container')
  assert.equal((await configOf(container)).models, '/mnt/models')
  assert.equal(runtime.spec.annotations?.['prometheus.kserve.io/port'], String((await configOf(container)).port))
})

/** The settings of cellserve in this container of the image. */
async function configOf ({ args = [], env = [] }: Container): Promise<Config> {
  const config = readConfig(args, { ...await imageEnvironment(), ...Object.fromEntries(env.map(({ name, value }) => [name, value])) })
  assert.ok(typeof config === 'object')
  return config
}
