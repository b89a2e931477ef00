import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { INTERFACE, loadAddon } from '../../src/engine/addon.ts'
import { prebuiltFolder } from '../../src/engine/prebuilt.ts'

const BUILT = '../../build/Release/cellserve.node'
const PREBUILT = `../../${prebuiltFolder()}/cellserve.node`

/** Loads these alone. */
function loading (addons: Readonly<Record<string, unknown>>) {
  return (path: string): unknown => {
    if (Object.hasOwn(addons, path)) return addons[path]
    throw Object.assign(new Error(`Cannot find module '${path}'`), { code: 'MODULE_NOT_FOUND' })
  }
}

test('both sides of the addon have the same number', async () => {
  assert.match(await readFile('native/binding/addon.cc', 'utf8'), new RegExp(`kInterface = ${INTERFACE};`))
})

test('an addon of this version is taken: the one that was built here, or the one that was packed', () => {
  const [built, packed] = [{ interface: INTERFACE }, { interface: INTERFACE }]
  assert.equal(loadAddon(loading({ [BUILT]: built, [PREBUILT]: packed })), built)
  assert.equal(loadAddon(loading({ [PREBUILT]: packed })), packed)
  assert.equal(loadAddon(loading({ [BUILT]: { interface: INTERFACE - 1 }, [PREBUILT]: packed })), packed)
})

for (const [what, addon] of [
  ['older than the number', { kernels: ['portable'], createEngine: () => {} }],
  ['older', { interface: INTERFACE - 1 }],
  ['newer', { interface: INTERFACE + 1 }],
  ['of something else', undefined]
] as const) {
  test(`an addon that is ${what} is not taken, and one line says what to do`, () => {
    for (const [path, place] of [[BUILT, 'build/Release'], [PREBUILT, prebuiltFolder()]] as const) {
      assert.throws(() => loadAddon(loading({ [path]: addon })), {
        message: `The native engine is not available: the addon in ${place} is from another version of the service. With a C++ compiler and Python, ` +
          '`npm rebuild cellserve` in an application, or `npm run install` in a clone, builds it'
      })
    }
  })
}

test('an addon that does not load is named with its reason, and one that is not there is to be built', () => {
  assert.throws(() => loadAddon(() => { throw new Error('invalid ELF header') }), /^Error: The native engine is not available: invalid ELF header; invalid ELF header\. With a C\+\+ compiler and Python, .* builds it$/)
  assert.throws(() => loadAddon(loading({})), /^Error: The native engine is not available: its addon has not been built\. With a C\+\+ compiler/)
})
