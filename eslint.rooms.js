import { readdirSync } from 'node:fs'

/** The engines' interface, without the engines. */
const ENGINE = ['engine/engine.ts', 'engine/program.ts']

/**
 * What each room of src/ may import besides itself and packages: other rooms, or single files. Files of src/ that are not
 * named here put the rooms together and may import any.
 */
const ROOMS = {
  'errors.ts': [],
  'thread.ts': [],
  tensor: ['errors.ts'],
  network: ['tensor', 'errors.ts'],
  weights: ['network', 'tensor', 'errors.ts', 'thread.ts'],
  engine: ['network', 'tensor', 'errors.ts'],
  scheduler: [...ENGINE, 'network', 'tensor', 'errors.ts'],
  model: ['scheduler', ...ENGINE, 'network', 'tensor', 'errors.ts'],
  wire: ['engine/addon.ts', 'tensor', 'errors.ts', 'thread.ts'],
  plugins: ['model', 'wire', 'tensor', 'errors.ts', 'config'],
  routes: ['plugins', 'model', 'wire', 'tensor', 'errors.ts', 'config'],
  cli: ['config', 'load.ts', 'model', 'scheduler', 'engine', 'weights', 'network', 'wire', 'tensor', 'errors.ts', 'version.ts']
}

/** A package that the build makes one file. */
const SCHEMAS = { regex: '^typebox$', message: 'src/tensor/typebox.ts has it, in a form that loads fast.' }

export default [
  forbid('src/*.ts', SCHEMAS.regex, SCHEMAS.message),
  ...Object.entries(ROOMS).map(([room, allowed]) => rule(room.endsWith('.ts') ? `src/${room}` : `src/${room}/**`, room, allowed)),
  { files: ['src/tensor/typebox.ts'], rules: { 'no-restricted-imports': 'off' } },
  forbid('clients/**', String.raw`^(?!\./)`, 'A client is a package of its own: it imports its own files alone.'),
  forbid('page/src/**', String.raw`^(?:\.\./)+(?!\.\./|(?:app|input|run|series|plots|export)/|clients/typescript/src/(?:client|base64url|safetensors)\.ts$)`, 'The page imports its own rooms and the client alone.'),
  forbid('test/**', String.raw`^(?:\.\./)+bench/`, 'What tests and benchmarks share is in test/support.'),
  forbid('bench/**', String.raw`^(?:\.\./)+test/(?!support/)`, 'What tests and benchmarks share is in test/support.')
]

function rule (files, room, allowed) {
  const forbidden = readdirSync('src').filter((name) => name !== room && !allowed.includes(name)).map((name) => {
    const exempt = allowed.filter((path) => path.startsWith(`${name}/`)).map((path) => path.slice(name.length + 1))
    return name.endsWith('.ts') ? `${name}$` : `${name}/${exempt.length > 0 ? `(?!(?:${exempt.join('|')})$)` : ''}`
  })
  return forbid(files, String.raw`^(?:\./|(?:\.\./)+)(?:${forbidden.join('|')})`, `src/${room} may import ${allowed.join(', ') || 'no other room'}.`, [SCHEMAS])
}

function forbid (files, regex, message, others = []) {
  return {
    files: [files],
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ regex, message }, ...others] }],
      'no-restricted-syntax': ['error', { selector: `ImportExpression[source.value=/${regex.replaceAll('/', String.raw`\/`)}/]`, message }]
    }
  }
}
