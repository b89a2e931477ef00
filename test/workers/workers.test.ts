import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request, type IncomingHttpHeaders } from 'node:http'
import { connect, createServer } from 'node:net'
import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { usableCores } from '../../src/engine/cores.ts'
import { onlyFull } from '../support/full.ts'
import { writeModels } from '../support/models.ts'
import { ADDRESS, run, start, type Running } from '../support/process.ts'
import { customLstm, f32, writeSafetensors } from '../support/safetensors.ts'
import { until } from '../support/until.ts'
import { startValkey, withValkey } from '../support/valkey.ts'

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly body: { readonly t?: number, readonly session?: string, readonly output?: number[], readonly detail?: string }
}

/** Sends a request over a connection of its own, so that one worker after the other gets one. */
async function send (port: number, method: string, path: string, body?: object, agent: Agent | false = false): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const bytes = body === undefined ? '' : JSON.stringify(body)
    const headers = body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) }
    request({ agent, host: '127.0.0.1', port, path, method, headers, timeout: 20_000 }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk) => { text += String(chunk) }).on('error', reject).on('end', () => {
        const isJson = String(response.headers['content-type']).includes('json')
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} })
      })
    }).on('error', reject).on('timeout', () => { reject(new Error('no answer')) }).end(bytes)
  })
}

interface Service extends Running {
  readonly port: number
  /** Of the metrics alone. */
  readonly metrics: number
  readonly ready: { readonly workers?: number, readonly pid: number }
  /** The text of `/metrics`, of its own port. */
  scrape (): Promise<string>
}

/** Two workers, whose answers are in the log. */
async function serve (t: Pick<TestContext, 'after'>, ...flags: readonly string[]): Promise<Service> {
  const service = start(t, process.execPath, ['dist/main.js', '--workers', '2', '--port', '0', '--metrics-port', '0', ...flags], { detached: true })
  const ready: { workers: number, pid: number, metrics: string } = JSON.parse(await service.line(/\{.*"msg":"ready"\}/))
  const [port, metrics] = [await service.line(ADDRESS), ready.metrics].map((url) => Number(new URL(url).port))
  return { ...service, port, metrics, ready, scrape: async () => (await send(metrics, 'GET', '/metrics')).text }
}

/** Asks over several connections at once, of which each worker gets some. */
async function each (port: number, method: string, path: string, body?: object): Promise<Answer[]> {
  return await Promise.all(Array.from({ length: 8 }, async () => await send(port, method, path, body)))
}

/** So that a line that never comes is a failure. */
const LIMIT = { timeout: 120_000 }

/** What has been logged so far. */
const ALL = /^[^]*$/

const X = [[0.5, -0.25], [0.1, 0.2], [1, -1], [0.3, 0]]

function valueOf (text: string, name: string): number {
  const escaped = name.replaceAll(/[{}]/g, String.raw`\$&`)
  return Number(new RegExp(`^${escaped} (\\S+)$`, 'm').exec(text)?.[1] ?? assert.fail(`${name} is not in ${text}`))
}

/** A model that reads from a support. */
const READER = {
  'reader/model.safetensors': writeSafetensors(customLstm(2, 6, 3, 2)),
  'reader/config.json': '{"feedback": {"policy": "attention"}}'
}

/** A session whose steps come over connections of their own: any worker takes any of them. */
async function takesAnyStep (port: number): Promise<void> {
  const context = { support: [[1, 0, 0], [0, 1, 0]] }
  const made = await send(port, 'POST', '/models/reader/sessions', { context })
  assert.equal(made.status, 201, made.text)
  const outputs: Array<number[] | undefined> = []
  for (const [t, step] of X.entries()) {
    const answers = await each(port, 'POST', `/sessions/${made.body.session}/step`, { x: step, t })
    for (const { status, text } of answers) assert.deepEqual([status, text], [200, answers[0].text])
    assert.equal(answers[0].body.t, t + 1)
    outputs.push(answers[0].body.output)
  }
  const whole: { output: number[][][] } = JSON.parse((await send(port, 'POST', '/models/reader/sequence', { x: [X], context })).text)
  assert.deepEqual(outputs, whole.output[0])
  // Without t, those that come at once are taken one by one, or refused.
  const both = await each(port, 'POST', `/sessions/${made.body.session}/step`, { x: X[0] })
  const taken = both.filter(({ status }) => status === 200).length
  assert.ok(both.every(({ status }) => status === 200 || status === 409) && taken > 0)
  assert.equal((await send(port, 'GET', `/sessions/${made.body.session}`)).body.t, X.length + taken)
  assert.equal((await send(port, 'DELETE', `/sessions/${made.body.session}`)).status, 204)
  for (const { status, body } of await each(port, 'GET', `/sessions/${made.body.session}`)) assert.deepEqual([status, body.detail], [410, 'the session has ended: deleted'])
}

test('two workers serve as one process does', { ...onlyFull('starts processes'), ...LIMIT }, async (t) => {
  const models = await writeModels(t, {
    'first.safetensors': writeSafetensors(customLstm(2, 3, 3)),
    ...READER,
    'second.safetensors': writeSafetensors(customLstm(2, 3, 3, 1))
  })
  const service = await serve(t, '--models', models, '--default-model', 'first', '--repository-api', '--access-log', '--max-connections', '40')
  const { port } = service

  await t.test('one line says that it is ready, and connections spread evenly', async () => {
    assert.deepEqual([service.ready.workers, service.ready.pid], [2, service.pid])
    const agents = Array.from({ length: 12 }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
    t.after(() => { for (const agent of agents) agent.destroy() })
    const step = async (agent: Agent): Promise<void> => { assert.equal((await send(port, 'POST', '/step', { x: X[0] }, agent)).status, 200) }
    // One after the other: of those that come at once, a worker that is slow to take one gets fewer.
    for (const agent of agents) await step(agent)
    for (let i = 0; i < 2; i++) await Promise.all(agents.map(step))
    for (const agent of agents) agent.destroy()
    const lines = async (): Promise<Array<{ worker: number, pid: number }>> => {
      return [...(await service.line(ALL)).matchAll(/^.*"path":"\/step".*$/gm)].map(([line]): { worker: number, pid: number } => JSON.parse(line))
    }
    await until(async () => (await lines()).length === 36, '36 lines')
    const all = await lines()
    assert.deepEqual([1, 2].map((number) => all.filter(({ worker }) => worker === number).length), [18, 18])
    assert.equal(new Set(all.map(({ worker, pid }) => `${worker} ${pid}`)).size, 2)
    assert.ok(all.every(({ pid }) => pid !== service.pid))
  })

  await t.test('metrics are those of both', async () => {
    const text = await service.scrape()
    assert.equal(valueOf(text, 'cellserve_request_duration_seconds_count{route="/step",model="first",status="200"}'), 36)
    assert.equal(valueOf(text, 'cellserve_steps_total{model="first"}'), 36)
    assert.equal(valueOf(text, 'cellserve_workers'), 2)
    assert.equal((await send(port, 'GET', '/metrics')).status, 404)
  })

  await t.test('sessions in memory are those of both', async () => { await takesAnyStep(port) })

  await t.test('a model that somebody unloads, or loads, is so everywhere once that is answered', async () => {
    assert.equal((await send(port, 'POST', '/v2/repository/models/second/unload')).status, 200)
    for (const { status } of await each(port, 'GET', '/models/second')) assert.equal(status, 404)
    assert.equal((await send(port, 'POST', '/v2/repository/models/first/unload')).status, 400)
    for (const { status } of await each(port, 'GET', '/models/first')) assert.equal(status, 200)
    assert.equal((await send(port, 'POST', '/v2/repository/models/second/load')).status, 200)
    for (const { status } of await each(port, 'GET', '/models/second')) assert.equal(status, 200)
    assert.equal((await send(port, 'POST', '/v2/repository/models/third/load')).status, 400)
  })

  await t.test('SIGHUP reloads all, also if it goes to the whole group of processes', async () => {
    const versions = async (): Promise<unknown[]> => (await each(port, 'POST', '/step', { x: X[0] })).map(({ status, headers }) => {
      assert.equal(status, 200)
      return headers['x-model-version']
    })
    const before = await versions()
    const beside = join(models, 'first.new')
    await writeFile(beside, writeSafetensors({ ...customLstm(2, 3, 3), 'hidden_linear.bias': f32([12], new Array(12).fill(0.5)) }))
    await rename(beside, join(models, 'first.safetensors'))
    process.kill(-service.ready.pid, 'SIGHUP')
    await until(async () => (await versions()).every((version) => version !== before[0]), 'the new version')
    assert.equal(new Set(await versions()).size, 1)
  })

  await t.test('connections past the bound are closed, whichever worker they come to', async () => {
    const sockets = Array.from({ length: 44 }, () => connect(port, '127.0.0.1'))
    t.after(() => { for (const socket of sockets) socket.destroy() })
    let closed = 0
    for (const socket of sockets) socket.on('error', () => {}).on('close', () => { closed++ }).resume()
    await until(() => closed >= 4, 'some to be closed')
    // One of them may get all, if the other is busy: its share is 20.
    assert.ok(closed <= 24, `${closed} were closed`)
    for (const socket of sockets) socket.destroy()
    // Until the workers have seen that.
    await until(async () => await each(port, 'GET', '/health/live').then(() => true, () => false), 'room')
  })

  await t.test('a killed worker is replaced; nothing that was counted is lost, and no model comes back', async () => {
    assert.equal((await send(port, 'POST', '/v2/repository/models/second/unload')).status, 200)
    const made = await send(port, 'POST', '/models/first/sessions', {})
    assert.equal((await send(port, 'POST', `/sessions/${made.body.session}/step`, { x: X[0], t: 0 })).status, 200)
    const count = async (): Promise<number> => valueOf(await service.scrape(), 'cellserve_steps_total{model="first"}')
    const before = await count()
    const victim = Number(/"pid":(\d+)[^\n]*"worker":1/.exec(await service.line(ALL))?.[1])
    process.kill(victim, 'SIGKILL')
    await service.line(/"worker":1,"pid":\d+,"code":null,"signal":"SIGKILL","seconds":0,"msg":"a worker has ended; another takes its place"/)
    assert.ok(await count() >= before)
    await service.line(/"msg":"a worker is ready"/)
    const text = await service.scrape()
    assert.deepEqual(['cellserve_workers', 'cellserve_worker_restarts_total'].map((name) => valueOf(text, name)), [2, 1])
    for (const { status } of await each(port, 'GET', '/models/second')) assert.equal(status, 404)
    // Its sessions are not gone.
    for (const { status, body } of await each(port, 'POST', `/sessions/${made.body.session}/step`, { x: X[1], t: 1 })) assert.deepEqual([status, body.t], [200, 2])
    assert.ok(await count() > before)
  })

  await t.test('a worker that is stuck keeps nobody from the metrics, and no client for ever', async () => {
    const stuck = Number(/"worker":1,"pid":(\d+),"msg":"a worker is ready"|$/.exec(await service.line(/"worker":1,"pid":\d+,"msg":"a worker is ready"/))?.[1])
    process.kill(stuck, 'SIGSTOP')
    assert.equal(valueOf(await service.scrape(), 'cellserve_workers'), 2)
    // It takes no more connections than one, which is closed if it ends.
    let answered = 0
    const asked = Array.from({ length: 4 }, async () => {
      const status = await send(port, 'GET', '/health/live').then(({ status }) => status, () => 0)
      answered++
      return status
    })
    await until(() => answered === 3, 'the answers of the other worker')
    process.kill(stuck, 'SIGKILL')
    assert.deepEqual((await Promise.all(asked)).sort((a, b) => a - b), [0, 200, 200, 200])
    await until(async () => valueOf(await service.scrape(), 'cellserve_worker_restarts_total') === 2 && valueOf(await service.scrape(), 'cellserve_workers') === 2, 'another')
  })

  await t.test('SIGTERM to the whole group: what is in work is answered, what is new is refused, and then it ends', async () => {
    const sockets = Array.from({ length: 8 }, () => connect(port, '127.0.0.1'))
    const answers = sockets.map(async (socket) => {
      let text = ''
      socket.on('data', (chunk) => { text += String(chunk) })
      await once(socket, 'close')
      return text
    })
    for (const socket of sockets) socket.write('POST /step HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 19\r\nexpect: 100-continue\r\n\r\n')
    await Promise.all(sockets.map(async (socket) => { await once(socket, 'data') }))
    process.kill(-service.ready.pid, 'SIGTERM')
    await service.line(/"msg":"draining"/)
    await until(async () => {
      const { status, headers } = await send(port, 'GET', '/health/ready')
      return status === 503 && headers['retry-after'] === '1'
    }, 'a 503')
    for (const socket of sockets) socket.write('{"x": [0.5, -0.25]}')
    for (const text of await Promise.all(answers)) assert.match(text, /^HTTP\/1\.1 100 [^]*HTTP\/1\.1 200 OK/)
    const { code, stdout, stderr } = await service.ended
    assert.deepEqual([code, stderr], [0, ''])
    for (const [line, times] of [[/"msg":"ready"/g, 1], [/Server listening/g, 1], [/"msg":"draining"/g, 1], [/all requests are answered/g, 1]] as const) assert.equal(stdout.match(line)?.length, times)
  })
})

test('sessions in a Valkey are those of all workers', { ...withValkey, ...LIMIT }, async (t) => {
  const { port } = await serve(t, '--models', await writeModels(t, READER), '--sessions', (await startValkey(t)).url)
  await takesAnyStep(port)
})

test('what stops the start of one process stops that of several, with the same line', { ...onlyFull('takes seconds'), ...LIMIT }, async (t) => {
  const models = await writeModels(t, { 'odd.safetensors': writeSafetensors({ ...customLstm(2, 6, 3), 'hidden_linear.bias': f32([3], [1, 2, 3]) }) })
  const other = createServer().listen(0, '127.0.0.1')
  t.after(() => other.close())
  await once(other, 'listening')
  const address = other.address()
  assert.ok(typeof address === 'object' && address !== null)
  const [wrong, taken] = await Promise.all([['--port', '0', '--models', models], ['--port', String(address.port)]].map(async (flags) => {
    const { code, stdout, stderr } = await run(t, '--workers', '2', ...flags).ended
    assert.deepEqual([code, stdout], [1, ''])
    return stderr
  }))
  assert.match(wrong, /^cellserve: .*odd\.safetensors: tensor hidden_linear\.bias: expected shape \[12\], found \[3\].*\n$/)
  assert.match(taken, /^cellserve: .*EADDRINUSE.*\n$/)
})

test('auto is a worker for each core; a client\'s rate is one for all, and so are the metrics that one answers; a second signal ends all at once', { ...onlyFull('takes seconds'), ...LIMIT }, async (t) => {
  const service = run(t, '--workers', 'auto', '--port', '0', '--rate-limit', '3')
  const { workers }: { workers?: number } = JSON.parse(await service.line(/\{.*"msg":"ready"\}/))
  const cores = usableCores()
  assert.equal(workers, cores === 1 ? undefined : cores)
  const port = Number(new URL(await service.line(ADDRESS)).port)
  let refused = 0
  for (let milliseconds = Infinity; milliseconds >= 1000;) {
    const from = performance.now()
    const statuses = (await each(port, 'GET', '/models')).map(({ status }) => status)
    milliseconds = performance.now() - from
    refused += statuses.filter((status) => status === 429).length
    // All in one second.
    if (milliseconds < 1000) assert.deepEqual(statuses.sort(), [200, 200, 200, 429, 429, 429, 429, 429])
    await setTimeout(1100)
  }
  assert.equal(valueOf((await send(port, 'GET', '/metrics')).text, 'cellserve_request_duration_seconds_count{route="/models",model="n/a",status="429"}'), refused)
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('POST /step HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 19\r\nexpect: 100-continue\r\n\r\n')
  await once(socket, 'data')
  service.stop('SIGINT')
  await service.line(/"msg":"draining"/)
  await setTimeout(600)
  const from = performance.now()
  service.stop('SIGINT')
  assert.equal((await service.ended).code, 1)
  assert.ok(performance.now() - from < 5000)
})

test('the statistics that one worker answers are those of all', { ...onlyFull('takes seconds'), ...LIMIT }, async (t) => {
  const service = run(t, '--workers', '2', '--port', '0')
  await service.line(/"msg":"ready"/)
  const port = Number(new URL(await service.line(ADDRESS)).port)
  assert.deepEqual((await each(port, 'POST', '/step', { x: [X[0]] })).map(({ status }) => status), new Array(8).fill(200))
  await until(async () => {
    const answers = await each(port, 'GET', '/v2/models/custom-lstm/stats')
    return answers.every(({ status, text }) => {
      assert.equal(status, 200, text)
      const { model_stats: [{ inference_count: inferences, inference_stats: { success } }] } = JSON.parse(text)
      return inferences === 8 && success.count === 8
    })
  }, 'eight answers')
})

test('whatever is killed under load, every step of every session is taken once', { ...onlyFull('takes seconds'), ...LIMIT }, async (t) => {
  const service = await serve(t, '--log-level', 'info')
  const { port } = service
  const pids = async (): Promise<number[]> => [...(await service.line(ALL)).matchAll(/"worker":\d+,"pid":(\d+),"msg":"a worker is ready"|"pid":(\d+),"hostname":"[^"]*","worker":1,"msg":"Server/g)].map(([, later, first]) => Number(later ?? first))
  const done = new AbortController()
  let killed = 0
  const kill = async (): Promise<void> => {
    while (!done.signal.aborted) {
      await setTimeout(1500)
      try {
        process.kill((await pids()).at(-1) ?? 0, 'SIGKILL')
        killed++
      } catch {
        // Another has not taken its place yet.
      }
    }
  }
  const patient = async (path: string, body: object): Promise<Answer> => {
    for (let tries = 0; tries < 1000; tries++) {
      const answer = await send(port, 'POST', path, body).catch(() => undefined)
      if (answer !== undefined && answer.status !== 503) return answer
      await setTimeout(10)
    }
    return assert.fail('nobody answers')
  }
  const killing = kill()
  const from = performance.now()
  const outputs = await Promise.all(Array.from({ length: 8 }, async (_, i) => {
    const made = await patient('/models/custom-lstm/sessions', {})
    const own: Array<number[] | undefined> = []
    for (let step = 0; performance.now() - from < 8000; step++) {
      const { status, body, text } = await patient(`/sessions/${made.body.session}/step`, { x: [Math.sin(step), i / 8], t: step })
      assert.deepEqual([status, body.t], [200, step + 1], text)
      own.push(body.output)
    }
    return own
  }))
  done.abort()
  await killing
  assert.ok(killed > 1)
  for (const [i, own] of outputs.entries()) {
    const { text } = await patient('/models/custom-lstm/sequence', { x: [own.map((_, step) => [Math.sin(step), i / 8])], fields: ['output'] })
    const whole: { output: number[][][] } = JSON.parse(text)
    assert.deepEqual(own, whole.output[0])
  }
})
