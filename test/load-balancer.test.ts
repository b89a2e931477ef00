import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from '../clients/typescript/src/client.ts'
import { freePort } from './support/free-port.ts'
import { takes } from './support/outside.ts'
import { ADDRESS, run, start, type Running } from './support/process.ts'

const CHAINS = 8

interface Balancer {
  readonly url: string
  readonly running: Running
  /** How many requests it has repeated. */
  retries (): Promise<number>
}

/** The committed configuration with other addresses: `[from, to]`. */
async function configure (t: TestContext, file: string, addresses: ReadonlyArray<readonly [string, string]>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'cellserve-balancer-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  let text = await readFile(join('docker/load-balancer', file), 'utf8')
  for (const [from, to] of addresses) {
    assert.ok(text.includes(from), from)
    text = text.replaceAll(from, to)
  }
  await writeFile(join(folder, file), text)
  return join(folder, file)
}

/** The addresses of the replicas in the configurations. */
function replicaAddresses (ports: readonly number[]): Array<readonly [string, string]> {
  return ports.map((port, i) => [` cellserve-${i + 1}:8080`, ` 127.0.0.1:${port}`])
}

async function haproxy (t: TestContext, ports: readonly number[]): Promise<Balancer> {
  const [port, metrics] = [await freePort(), await freePort()]
  const file = await configure(t, 'haproxy.cfg', [
    ['bind :8080', `bind 127.0.0.1:${port}`], ['bind 127.0.0.1:8404', `bind 127.0.0.1:${metrics}`], ...replicaAddresses(ports)
  ])
  return {
    running: start(t, 'haproxy', ['-db', '-f', file]),
    url: `http://127.0.0.1:${port}`,
    async retries () {
      const text = await (await fetch(`http://127.0.0.1:${metrics}/metrics`)).text()
      return Number(/^haproxy_backend_retry_warnings_total\{proxy="cellserve"\} (\d+)/m.exec(text)?.[1])
    }
  }
}

async function nginx (t: TestContext, ports: readonly number[]): Promise<Balancer> {
  const port = await freePort()
  const file = await configure(t, 'nginx.conf', [['listen 8080', `listen 127.0.0.1:${port}`], ['/dev/stdout', 'access.log'], ...replicaAddresses(ports)])
  const folder = join(file, '..')
  return {
    running: start(t, 'nginx', ['-p', folder, '-c', file, '-e', 'stderr', '-g', 'daemon off; master_process off; pid nginx.pid;']),
    url: `http://127.0.0.1:${port}`,
    // The upstreams of a request are listed one after another.
    retries: async () => (await readFile(join(folder, 'access.log'), 'utf8')).match(/upstreams=\[[^\]]*,/g)?.length ?? 0
  }
}

/** Takes the steps of a chain until it is stopped. The client computes each h_in from its own h and never retries. */
async function chain (baseUrl: string, seed: number, goesOn: (steps: number) => boolean): Promise<number[][]> {
  const model = new Client(baseUrl, { retries: 0 }).model()
  const states: number[][] = []
  let h = [0, 0, 0]
  let c = [0, 0, 0]
  for (let t = 0; goesOn(t); t++) {
    const x = [Math.sin(seed + t), Math.cos(seed * t)]
    const step = await model.step({ x: [x], h_in: [[...h, ...h.map((value) => value * value)]], c_in: [c] })
      .catch((error: unknown) => assert.fail(`chain ${seed}, step ${t}: ${String(error)}`))
    h = [...step.h_out.data]
    c = [...step.c_out?.data ?? []]
    states.push([...h, ...c])
  }
  return states
}

for (const balancer of [haproxy, nginx]) {
  test(`behind ${balancer.name}, chains of steps lose nothing while replicas are killed`, { ...takes('HAProxy and nginx'), timeout: 60_000 }, async (t) => {
    const serve = (port: number) => run(t, '--port', String(port), '--engine', 'native', '--threads', '1')
    const ports = [await freePort(), await freePort(), await freePort()]
    const replicas = ports.map(serve)
    await Promise.all(replicas.map((replica) => replica.line(ADDRESS)))
    const { url, running, retries } = await balancer(t, ports)
    while ((await fetch(`${url}/health/ready`).catch(() => undefined))?.status !== 200) {
      const ended = await Promise.race([running.ended, sleep(50)])
      assert.ok(ended === undefined, `${balancer.name} ended: ${ended?.stderr}`)
    }

    let killing = true
    const chains = Promise.all(Array.from({ length: CHAINS }, (_, seed) => chain(url, seed, () => killing)))
    async function replaceSome (): Promise<void> {
      for (const [i, signal] of ([[0, 'SIGKILL'], [1, 'SIGTERM'], [2, 'SIGKILL'], [0, 'SIGKILL']] as const)) {
        await sleep(200)
        replicas[i].stop(signal)
        await replicas[i].ended
        if (!killing) return
        replicas[i] = serve(ports[i])
        await replicas[i].line(ADDRESS)
      }
    }
    try {
      await Promise.race([chains, replaceSome()])
    } finally {
      killing = false
    }
    const done = await chains

    t.diagnostic(`${done.flat().length} steps, ${await retries()} requests sent again by ${balancer.name}`)
    assert.ok(await retries() > 0)
    const alone = `http://127.0.0.1:${ports[0]}`
    assert.deepEqual(await Promise.all(done.map((states, seed) => chain(alone, seed, (t) => t < states.length))), done)
  })
}
