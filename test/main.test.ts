import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { once } from 'node:events'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { createService } from '../src/service.ts'
import { withoutAddon } from './support/addon.ts'
import { testConfig, testEngine } from './support/app.ts'
import { writeModels } from './support/models.ts'
import { freePort } from './support/free-port.ts'
import { onlyFull, scaled } from './support/full.ts'
import { ADDRESS, run, start } from './support/process.ts'
import { customLstm, f32, under, writeSafetensors } from './support/safetensors.ts'

test('the demo is served, and SIGTERM ends it well', async (t) => {
  const server = run(t, '--port', '0')
  const url = await server.line(ADDRESS)
  const ready: { models: string[], default: string } = JSON.parse(await server.line(/\{.*"msg":"ready"\}/))
  assert.deepEqual(ready.models, ['attention-decoder', 'bidirectional-lstm', 'custom-lstm', 'gru', 'matching-networks', 'symmetric'])
  assert.equal(ready.default, 'custom-lstm')
  const answer = await fetch(`${url}/step`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"x": [0.5, -0.25]}' })
  assert.equal(answer.status, 200)
  await answer.json()
  server.stop()
  const { code, stdout, stderr } = await server.ended
  assert.equal(code, 0)
  assert.equal(stderr, '')
  assert.match(stdout, /"signal":"SIGTERM","grace":10,"msg":"draining"}.*"msg":"all requests are answered; exiting"}\n$/s)
})

/** For how long a signal is taken for the first one again, in milliseconds. */
const ECHO = 500

/** A service that drains, with a request in work whose body has still to come. */
async function draining (t: TestContext, ...args: string[]) {
  const server = run(t, '--port', '0', ...args)
  const port = Number(new URL(await server.line(ADDRESS)).port)
  await server.line(/"msg":"ready"/)
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.write('POST /step HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 19\r\nexpect: 100-continue\r\n\r\n')
  const [first] = await once(socket, 'data')
  assert.match(String(first), /^HTTP\/1\.1 100 /, 'the request is in work')
  const signalled = performance.now()
  server.stop()
  await server.line(/"msg":"draining"/)
  return { server, socket, port, signalled }
}

/** Sends the body of the request in work. */
async function answerTo (socket: Socket): Promise<string> {
  let answer = ''
  socket.on('data', (chunk) => { answer += String(chunk) })
  socket.write('{"x": [0.5, -0.25]}')
  await once(socket, 'close')
  return answer
}

test('for a second after SIGTERM probes and new requests hear that the service goes; then its port is closed', async (t) => {
  const { server, socket, port, signalled } = await draining(t)
  const ask = async (path: string): Promise<[number, string | null, string | null]> => {
    const { status, headers } = await fetch(`http://127.0.0.1:${port}${path}`)
    return [status, headers.get('connection'), headers.get('retry-after')]
  }
  assert.deepEqual(await ask('/health/ready'), [503, 'close', '1'])
  assert.deepEqual(await ask('/models'), [503, 'close', '1'])
  assert.deepEqual(await ask('/health/live'), [200, 'close', null])
  for (let open = true; open;) {
    const other = connect(port, '127.0.0.1')
    open = await once(other, 'connect').then(() => true, () => false)
    other.destroy()
  }
  const closed = performance.now() - signalled
  assert.ok(closed > 990 && closed < 5000, `closed after ${closed} ms`)
  socket.destroy()
  assert.equal((await server.ended).code, 0)
})

test('the grace is a setting, and past it the process ends', onlyFull('takes seconds'), async (t) => {
  const { server } = await draining(t, '--grace', '1')
  const from = performance.now()
  const { code, stdout } = await server.ended
  assert.equal(code, 1)
  assert.match(stdout, /killed by timeout \(1000ms\)/)
  assert.ok(performance.now() - from < 5000)
})

/** Waits until a service answers on the port. */
async function answers (port: number): Promise<string> {
  const url = `http://127.0.0.1:${port}`
  for (let tries = 0; ; tries++) {
    try {
      await (await fetch(`${url}/health/ready`)).text()
      return url
    } catch (error) {
      if (tries === 300) throw error
      await setTimeout(50)
    }
  }
}

test('a full disk behind standard output costs log lines alone', { skip: !existsSync('/dev/full') || onlyFull('starts processes').skip }, async (t) => {
  const port = await freePort()
  const server = start(t, 'sh', ['-c', `exec "$0" dist/main.js --port ${port} --access-log --grace 1 > /dev/full`, process.execPath])
  const url = await answers(port)
  for (let i = 0; i < 10; i++) assert.equal((await fetch(`${url}/models`)).status, 200)
  server.stop()
  const { code, stderr } = await server.ended
  assert.deepEqual([code, stderr], [0, ''])
})

test('a log reader that stalls costs log lines alone', onlyFull('takes seconds'), async (t) => {
  // Nobody reads its output.
  const port = await freePort()
  const child = spawn(process.execPath, ['dist/main.js', '--port', String(port), '--access-log', '--grace', '1'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  t.after(() => { child.kill('SIGKILL') })
  const url = await answers(port)
  // More lines than a pipe holds; megabytes of them in the full suite.
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (let i = 0; i < scaled(1500); i++) await (await fetch(`${url}/${'x'.repeat(240)}`)).arrayBuffer()
  }))
  assert.equal((await fetch(`${url}/models`)).status, 200)
  const from = performance.now()
  child.kill('SIGTERM')
  assert.deepEqual(await ended, [0, null])
  assert.ok(performance.now() - from < 5000)
})

test('what was asked before SIGTERM is answered after it', onlyFull('takes seconds'), async (t) => {
  const { server, socket } = await draining(t)
  assert.match(await answerTo(socket), /^HTTP\/1\.1 200 OK/)
  assert.equal((await server.ended).code, 0)
})

// Ctrl-C in `npm start` reaches the service from the terminal and from npm.
test('a signal that comes twice within half a second is one', onlyFull('starts processes'), async (t) => {
  const { server, socket } = await draining(t)
  server.stop('SIGINT')
  server.stop()
  await setTimeout(ECHO + 100)
  assert.match(await answerTo(socket), /^HTTP\/1\.1 200 OK/)
  assert.equal((await server.ended).code, 0)
})

test('a second signal ends it at once, whatever is in progress', onlyFull('starts processes'), async (t) => {
  await Promise.all((['SIGTERM', 'SIGINT'] as const).map(async (signal) => {
    const { server } = await draining(t)
    await setTimeout(ECHO + 100)
    server.stop(signal)
    const { code, stdout } = await server.ended
    assert.equal(code, 1)
    assert.match(stdout, new RegExp(`second ${signal}, exiting`))
    assert.doesNotMatch(stdout, /killed by timeout/)
  }))
})

test('the metrics may have their own port, where they need no key', onlyFull('starts processes'), async (t) => {
  const server = run(t, '--port', '0', '--metrics-port', '0', '--api-key', 'correct-horse')
  const url = await server.line(ADDRESS)
  const metrics = await server.line(/"metrics":"([^"]+)"/)
  const key = { headers: { 'x-api-key': 'correct-horse' } }
  assert.equal((await fetch(`${url}/models`, key)).status, 200)
  assert.equal((await fetch(`${url}/metrics`, key)).status, 404)
  assert.match(await (await fetch(`${metrics}/metrics`)).text(), /^cellserve_request_duration_seconds_count\{route="\/models",model="n\/a",status="200"\} 1$/m)
  assert.equal((await fetch(`${metrics}/models`)).status, 404)
})

test('the engine is chosen by flag, and the log says which one runs; one that was asked for is no warning', onlyFull('starts processes'), async (t) => {
  const server = run(t, '--port', '0', '--engine', 'tfjs', '--log-level', 'info')
  assert.match(await server.line(/"engine":"([^"]+)"/), /^tfjs \((wasm|tensorflow)\)$/)
  await server.line(/"msg":"ready"/)
  server.stop('SIGKILL')
  assert.doesNotMatch((await server.ended).stdout, /"level":40/)
})

test('falling back from the native engine is a warning', onlyFull('starts processes'), async (t) => {
  const server = start(t, 'env', ['TEST_NO_ADDON=1', process.execPath, 'dist/main.js', '--port', '0', '--log-level', 'warn'])
  const warning: { level: number, msg: string } = JSON.parse(await server.line(/\{.*TensorFlow\.js.*\}/))
  assert.equal(warning.level, 40)
  assert.match(warning.msg, /^The native engine is not available: its addon has not been built\. .* TensorFlow\.js computes instead/)
})

test('an addon that is older than the sources is not taken; the warning says what to do, and the service answers', { skip: withoutAddon || onlyFull('starts processes').skip }, async (t) => {
  const folder = await writeModels(t, {
    'm.safetensors': writeSafetensors(customLstm(1, 1, 1)),
    'old.cjs': "require('module')._extensions['.node'] = (module) => { module.exports = { kernels: ['portable'], createEngine () {}, createReader () {}, writeTensor () {} } }"
  })
  const server = start(t, process.execPath, ['--require', join(folder, 'old.cjs'), 'dist/main.js', '--models', folder, '--port', '0'])
  const warning: { level: number, msg: string } = JSON.parse(await server.line(/\{.*TensorFlow\.js.*\}/))
  assert.equal(warning.level, 40)
  assert.match(warning.msg, /^The native engine is not available: the addon in build\/Release is from another version of the service[.;] .* `npm run install` in a clone, builds it\. TensorFlow\.js computes instead/)
  const answer = await fetch(`${await server.line(ADDRESS)}/step`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"x": [[0.5]]}' })
  assert.deepEqual([answer.status, Object.keys(Object(await answer.json()))], [200, ['h_out', 'c_out']])
})

async function refusal (t: TestContext, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(t, '--port', '0', ...args).ended
  assert.equal(code, 1)
  assert.equal(stdout, '')
  assert.match(stderr, /^cellserve: .*\n(cellserve --help.*\n)?$/, 'one line, no stack')
  return stderr
}

/** The same, without a process: it prints the error's message. */
async function refused (...flags: string[]): Promise<string> {
  return await createService(testConfig(...flags), await testEngine()).then(() => assert.fail('it starts'), ({ message }: Error) => message)
}

test('a model file that is wrong stops the start with file, tensor, expected and found', async (t) => {
  const models = await writeModels(t, {
    'good.safetensors': writeSafetensors(customLstm(2, 6, 3)),
    'odd/model.safetensors': writeSafetensors({ ...customLstm(2, 6, 3), 'hidden_linear.bias': f32([3], [1, 2, 3]) })
  })
  assert.match(await refusal(t, '--models', models), /odd\/model\.safetensors: tensor hidden_linear\.bias: expected shape \[12\], found \[3\]/)
})

test('what lies beside models, and tensors that nothing uses, are warnings', onlyFull('starts processes'), async (t) => {
  const models = await writeModels(t, {
    'a.safetensors': writeSafetensors({ 'emb.weight': f32([1], [0]), ...under('lstm', customLstm(2, 6, 3)) }),
    'b.keras': ''
  })
  const server = run(t, '--port', '0', '--models', models, '--log-level', 'warn')
  const warned = async (pattern: RegExp): Promise<string> => {
    const { level, msg }: { level: number, msg: string } = JSON.parse(await server.line(pattern))
    assert.equal(level, 40)
    return msg
  }
  assert.match(await warned(/\{.*keras.*\}/), /^not served: .*b\.keras is a Keras file; `cellserve import` turns it into a model/)
  assert.equal(await warned(/\{.*emb.*\}/), 'model a: nothing uses the tensors emb.weight of its file')
})

test('a policy that does not fit its cell stops the start with both', async (t) => {
  const models = await writeModels(t, {
    'a/model.safetensors': writeSafetensors(customLstm(2, 5, 3)),
    'a/config.json': '{"feedback": {"policy": "repeat"}}'
  })
  assert.match(await refused('--models', models), /a\/config\.json: \/feedback: h 3 has 3 numbers, but h_in has Hi = 5 \(.*Ho = 3\)/)
})

test('a config.json that does not fit the schema stops the start', async (t) => {
  const models = await writeModels(t, {
    'a/model.safetensors': writeSafetensors(customLstm(2, 6, 3)),
    'a/config.json': '{"feedbak": {"policy": "repeat"}}'
  })
  assert.match(await refused('--models', models), /a\/config\.json: \/feedbak: is not a known field/)
})

test('weights that are held in no known way stop the start', async (t) => {
  const models = await writeModels(t, {
    'a/model.safetensors': writeSafetensors(customLstm(2, 6, 3)),
    'a/config.json': '{"weights": "fp8"}'
  })
  assert.match(await refused('--models', models), /a\/config\.json: \/weights: expected one of f32, bf16, int8, got the string "fp8"/)
})

test('a default model that is not there stops the start', async () => {
  assert.match(await refused('--default-model', 'nobody'), /default model nobody does not exist; the models are attention-decoder, bidirectional-lstm, custom-lstm/)
})

test('a wrong flag stops the start and points to the help', async (t) => {
  assert.match(await refusal(t, '--engine', 'gpu'), /--engine: expected one of auto, native, tfjs.*\n.*--help/)
})

test('a port in use stops the start, be it the metrics\'', onlyFull('starts processes'), async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  t.after(() => other.close())
  await once(other, 'listening')
  const address = other.address()
  assert.ok(typeof address === 'object' && address !== null)
  await Promise.all([['--port', String(address.port), '--metrics-port', '0'], ['--port', '0', '--metrics-port', String(address.port)]].map(async (ports) => {
    const { code, stderr } = await run(t, ...ports, '--log-level', 'silent').ended
    assert.equal(code, 1)
    assert.match(stderr, /^cellserve: listen EADDRINUSE: address already in use 127\.0\.0\.1:\d+\n$/)
  }))
})

test('--help and --version answer and end', async (t) => {
  const help = await run(t, '--help').ended
  assert.equal(help.code, 0)
  assert.match(help.stdout, /^Usage: cellserve[^]*\n {2}cellserve check FOLDER/)
  const version = await run(t, '--version').ended
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/)
})
