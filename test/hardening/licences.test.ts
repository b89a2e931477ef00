import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { isPermissive, licencesText, readLicences } from '../../scripts/licences.ts'

test('every production dependency has a permissive licence', async () => {
  const packages = await readLicences()
  assert.ok(packages.some(({ name }) => name === 'fastify'))
  assert.deepEqual(packages.filter(({ licence }) => !isPermissive(licence)), [])
})

test('the committed list of licences is current (npm run licences)', async () => {
  assert.equal(await readFile('docs/licences.md', 'utf8'), licencesText(await readLicences()))
})

test('permissive licences are distinguished from others', () => {
  for (const yes of ['MIT', '(BSD-3-Clause AND Apache-2.0)', 'MIT OR GPL-3.0-only']) assert.ok(isPermissive(yes), yes)
  for (const no of ['GPL-3.0-only', 'MIT AND GPL-2.0-only', 'unknown', 'SEE LICENSE IN LICENSE', '']) assert.ok(!isPermissive(no), no)
})

test('a default install brings nothing of tfjs-node, whose packages have known vulnerabilities', async () => {
  const { packages }: { packages: Record<string, object> } = JSON.parse(await readFile('package-lock.json', 'utf8'))
  const { peerDependencies, peerDependenciesMeta }: Record<string, Record<string, unknown>> = JSON.parse(await readFile('package.json', 'utf8'))
  assert.ok('@tensorflow/tfjs-node' in peerDependencies)
  assert.deepEqual(peerDependenciesMeta['@tensorflow/tfjs-node'], { optional: true })
  for (const path of ['@tensorflow/tfjs-node', '@mapbox/node-pre-gyp', 'tar']) assert.ok(!(`node_modules/${path}` in packages), path)
})
