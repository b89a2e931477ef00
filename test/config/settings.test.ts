import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ConfigError, helpText, readConfig, Settings } from '../../src/config/settings.ts'

function read (args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const config = readConfig(args, env)
  assert.ok(typeof config === 'object')
  return config
}

test('without anything set it is the demo, on the loopback interface', () => {
  const { models, ...rest } = read([])
  assert.match(models, /models$/)
  assert.deepEqual(rest, {
    host: '127.0.0.1',
    port: 8080,
    workers: '1',
    engine: 'auto',
    'log-level': 'info',
    'body-limit': 16777216,
    'max-steps': 65536,
    'max-work': 2 ** 40,
    'batch-rows': 64,
    'max-rows': 4096,
    grace: 10,
    'max-bytes': 268435456,
    sessions: 'memory',
    'repository-api': false,
    'max-sessions': 100_000,
    'max-session-bytes': 268435456,
    'session-timeout': 900,
    'max-connections': 4096,
    'max-sockets': 2048,
    'ping-interval': 30,
    'max-header-bytes': 16384,
    'header-timeout': 10,
    'body-timeout': 60,
    'keep-alive-timeout': 72,
    page: true,
    'access-log': false,
    'feedback-timeout': 1,
    'feedback-memory': 256,
    'request-timeout': 30
  })
})

test('a flag goes before its environment variable', () => {
  const env = { CELLSERVE_PORT: '1', CELLSERVE_BODY_LIMIT: '2048', CELLSERVE_HOST: '' }
  const { port, host, 'body-limit': bodyLimit } = read(['--port', '2'], env)
  assert.deepEqual([port, bodyLimit, host], [2, 2048, '127.0.0.1'])
})

test('a list is a flag given more than once, or a variable with commas', () => {
  assert.deepEqual(read(['--api-key', 'first-key', '--api-key', 'second,key'])['api-key'], ['first-key', 'second,key'])
  assert.deepEqual(read([], { CELLSERVE_CORS_ORIGIN: 'https://a.example,https://b.example' })['cors-origin'], ['https://a.example', 'https://b.example'])
})

test('a switch is a flag without a value, or a variable that says true', () => {
  assert.equal(read(['--access-log'])['access-log'], true)
  assert.equal(read([], { CELLSERVE_ACCESS_LOG: 'true' })['access-log'], true)
  assert.equal(read([], { CELLSERVE_ACCESS_LOG: 'false' })['access-log'], false)
  assert.equal(read(['--no-page']).page, false)
  assert.equal(read(['--no-page'], { CELLSERVE_PAGE: 'true' }).page, false)
  assert.equal(read([], { CELLSERVE_PAGE: 'false' }).page, false)
})

for (const [args, env, message] of [
  [['--cors-origin', ''], {}, /^--cors-origin: must NOT have fewer than 1 characters/],
  [[], { CELLSERVE_ACCESS_LOG: '1' }, /^CELLSERVE_ACCESS_LOG: must be boolean, got the string "1"$/],
  [['--port', '70000'], {}, /^--port: must be <= 65535, got 70000$/],
  [['--port', 'http'], {}, /^--port: must be integer, got the string "http"$/],
  [['--port', ''], {}, /^--port: must be integer/],
  [[], { CELLSERVE_PORT: '-1' }, /^CELLSERVE_PORT: must be >= 0, got -1$/],
  [['--engine', 'gpu'], {}, /^--engine: expected one of auto, native, tfjs, got the string "gpu"$/],
  [['--log-level', 'loud'], {}, /^--log-level: expected one of fatal, .*silent, got the string "loud"$/],
  [['--body-limit', '10'], {}, /^--body-limit: must be >= 1024, got 10$/],
  [['--max-steps', '0'], {}, /^--max-steps: must be >= 1, got 0$/],
  [['--request-timeout', '0'], {}, /^--request-timeout: must be > 0, got 0$/],
  [['--threads', '0'], {}, /^--threads: must be >= 1, got 0$/],
  [['--max-steps=1e3'], {}, /^--max-steps: must be integer, got the string "1e3"$/],
  [['--host', ''], {}, /^--host: must NOT have fewer than 1 characters/],
  [['--default-model', ''], {}, /^--default-model: must NOT have fewer than 1 characters/],
  [['--port', '1'], { CELLSERVE_BODY_LIMIT: 'much' }, /^CELLSERVE_BODY_LIMIT: must be integer, got the string "much"$/],
  [['--models', ''], {}, /^--models: must NOT have fewer than 1 characters/],
  [['--colour', 'red'], {}, /^--colour: there is no such flag$/],
  [['--max-row', '5'], {}, /^--max-row: there is no such flag; did you mean --max-rows\?$/],
  [['--max-rows', '-1'], {}, /^--max-rows: must be >= 1, got -1$/],
  [[], { CELLSERVE_PORTT: '9' }, /^CELLSERVE_PORTT: there is no such setting; did you mean CELLSERVE_PORT\?$/],
  [['--port', '9'], { CELLSERVE_COLOUR: 'red' }, /^CELLSERVE_COLOUR: there is no such setting$/],
  [['--isa', ''], {}, /^--isa: must NOT have fewer than 1 characters/],
  [['--sessions', 'redis'], {}, /^--sessions: expected memory, or redis:\/\/user:password@host:port\/db, or rediss:\/\/ for TLS; got something that is not a URL$/],
  [['--sessions', 'http://:secret@host'], {}, /^--sessions: expected memory, .*; got http:\/\/$/],
  [[], { CELLSERVE_SESSIONS: 'redis://:secret@host/db' }, /^CELLSERVE_SESSIONS: [^;]*; the path is not the number of a database$/],
  [['--sessions', 'redis://:secret@/1'], {}, /^--sessions: [^;]*; (it names no host|got something that is not a URL)$/],
  [['--sessions', 'redis://:secret@host?a=1'], {}, /^--sessions: [^;]*; it has a query or a fragment$/],
  [['--sessions', 'redis://:secret@host'], { npm_lifecycle_event: 'start' }, /^--sessions: npm prints the flags of what it starts, so this password is in the log already; use CELLSERVE_SESSIONS, or run node dist\/main\.js$/],
  [['--api-key', 'sesame'], {}, /^--api-key: the key has 6 characters; a key is 8 to 512 characters of visible ASCII$/],
  [[], { CELLSERVE_API_KEY: 'long-enough,sesame' }, /^CELLSERVE_API_KEY: key 2 has 6 characters; a key is 8 to 512 characters of visible ASCII$/],
  [['--api-key', 'open sesame'], {}, /^--api-key: the key has a space, or a character that is not ASCII; a key is 8 to 512 characters of visible ASCII$/],
  [['--api-key', 'correct-horse'], { npm_lifecycle_event: 'start' }, /^--api-key: npm prints the flags of what it starts, so this key is in the log already; use --api-key-file or CELLSERVE_API_KEY, or run node dist\/main\.js$/],
  [['--cors-origin', 'localhost:3000'], {}, /^--cors-origin: expected an origin as browsers send it, scheme:\/\/host or scheme:\/\/host:port, or \*, got "localhost:3000"; write http:\/\/localhost:3000$/],
  [['--cors-origin', 'https://a.example', '--cors-origin', 'http://localhost:3000/'], {}, /got "http:\/\/localhost:3000\/"; write http:\/\/localhost:3000$/],
  [['--cors-origin', 'https://A.example:443/page'], {}, /; write https:\/\/a\.example$/],
  [[], { CELLSERVE_CORS_ORIGIN: 'null' }, /^CELLSERVE_CORS_ORIGIN: expected an origin/],
  [['--cors-origin', '//'], {}, /^--cors-origin: expected an origin as browsers send it, [^;]*$/],
  [['--trust-proxy', 'banana'], {}, /^--trust-proxy: expected addresses, .*, got "banana"$/],
  [['--trust-proxy', '10.0.0.0/8,10.0.0.0/33'], {}, /^--trust-proxy: expected addresses, .*, got "10\.0\.0\.0\/33"$/],
  [['--port'], {}, /^Option '--port <value>' argument missing/],
  [['models'], {}, /^Unexpected argument 'models'/]
] as const) {
  test(`${[...args, ...Object.entries(env).flat()].join(' ')} stops the start with one line`, () => {
    assert.throws(() => readConfig(args, env), (error) => {
      assert.ok(error instanceof ConfigError)
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /\n/)
      return true
    })
  })
}

test('origins and proxies are taken in all the forms that match anything', () => {
  for (const origin of ['*', 'https://a.example', 'http://localhost:3000', 'http://[::1]:3000', 'capacitor://localhost', 'chrome-extension://abcdefgh']) {
    assert.deepEqual(read(['--cors-origin', origin])['cors-origin'], [origin])
  }
  for (const proxies of ['loopback', '10.0.0.1', '10.0.0.0/8, ::1', '10.0.0.0/255.0.0.0', 'fd00::/8,uniquelocal']) {
    assert.equal(read(['--trust-proxy', proxies])['trust-proxy'], proxies)
  }
})

test('what Kubernetes says of a Service named cellserve is no setting', () => {
  const { port, 'metrics-port': metricsPort } = read([], {
    CELLSERVE_SERVICE_HOST: '10.0.0.1',
    CELLSERVE_SERVICE_PORT: '8080',
    CELLSERVE_SERVICE_PORT_HTTP: '8080',
    CELLSERVE_PORT: 'tcp://10.0.0.1:8080',
    CELLSERVE_PORT_8080_TCP: 'tcp://10.0.0.1:8080',
    CELLSERVE_PORT_8080_TCP_PROTO: 'tcp',
    CELLSERVE_PORT_8080_TCP_PORT: '8080',
    CELLSERVE_PORT_8080_TCP_ADDR: '10.0.0.1',
    CELLSERVE_METRICS_SERVICE_HOST: '10.0.0.2',
    CELLSERVE_METRICS_PORT: 'tcp://10.0.0.2:9090'
  })
  assert.deepEqual([port, metricsPort], [8080, undefined])
})

test('a wrong variable under a right flag is no fault, and of two flags the last goes', () => {
  assert.equal(read(['--port', '1', '--port=2'], { CELLSERVE_PORT: 'http' }).port, 2)
})

test('every setting can be given by its variable', () => {
  const given = { models: 'here', 'default-model': 'a', host: '::1', port: 0, engine: 'tfjs', threads: 3, 'log-level': 'warn', 'body-limit': 4096, 'max-steps': 7 }
  const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [`CELLSERVE_${name.toUpperCase().replaceAll('-', '_')}`, String(value)]))
  const config = read([], env)
  assert.deepEqual({ ...config, ...given }, config)
})

test('--help lists every setting with its variable and default', () => {
  assert.equal(readConfig(['--help'], {}), 'help')
  assert.equal(readConfig(['-h'], {}), 'help')
  assert.equal(readConfig(['--version'], {}), 'version')
  const text = helpText()
  for (const [name, schema] of Object.entries(Settings.properties)) {
    const line = text.split('\n').find((each) => each.includes(`--${name} `)) ?? assert.fail(name)
    assert.ok(line.includes(`CELLSERVE_${name.toUpperCase().replaceAll('-', '_')}`))
    if ('default' in schema) assert.ok(line.endsWith(`Default: ${String(schema.default)}`))
  }
})

test('every setting stands in the help and in the documents', () => {
  const operating = readFileSync('docs/operating.md', 'utf8')
  for (const name of Object.keys(Settings.properties)) {
    assert.ok(helpText().includes(`  --${name} `), name)
    assert.ok(operating.includes(`\`--${name}\``), name)
  }
})
