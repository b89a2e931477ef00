import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadModels } from '../../src/load.ts'
import { createRegistry } from '../../src/model/registry.ts'
import { testDeps } from '../support/app.ts'

test('the only model is the default one', async () => {
  const [model] = await loadModels('models', await testDeps())
  assert.equal(createRegistry([model]).get(), model)
  assert.equal(createRegistry([model]).get(model.name), model)
})

test('of several, the one whose config.json says so is the default, unless the operator names another', async () => {
  const models = await loadModels('models', await testDeps())
  assert.equal(createRegistry(models).defaultName, 'custom-lstm')
  assert.equal(createRegistry(models, 'symmetric').defaultName, 'symmetric')
  assert.equal(createRegistry(models.filter(({ isDefault }) => !isDefault)).defaultName, undefined)
})

test('two that say so stop the start', async () => {
  const models = (await loadModels('models', await testDeps())).filter(({ name }) => ['custom-lstm', 'matching-networks'].includes(name)).map((model) => ({ ...model, isDefault: true }))
  assert.throws(() => createRegistry(models), /several models say that they are the default: custom-lstm, matching-networks/)
  assert.equal(createRegistry(models, 'custom-lstm').defaultName, 'custom-lstm')
})

test('a default model that is not there stops the start', async () => {
  const models = await loadModels('models', await testDeps())
  assert.throws(() => createRegistry(models, 'nobody'), /default model nobody does not exist; the models are attention-decoder, bidirectional-lstm, custom-lstm, gru, matching-networks, symmetric/)
})

test('a model that is not there is told with no more than ten of those that are', async () => {
  const [model] = await loadModels('models', await testDeps())
  const many = createRegistry(Array.from({ length: 10_000 }, (_, i) => ({ ...model, name: `model-${i}`, isDefault: i === 0 })))
  assert.throws(() => many.get('nobody'), ({ message }: Error) => message.length < 250 && message.endsWith('model-9 and 9990 more'))
})

test('a version that is replaced stays as long as somebody holds it, and is then closed once', async () => {
  const [model] = await loadModels('models', await testDeps())
  const closed: string[] = []
  const version = (version: string) => ({ ...model, version, close: async () => { closed.push(version) } })
  const [a, b, c] = [version('a'), version('b'), version('c')]
  const registry = createRegistry([a])
  const release = registry.hold(a)
  assert.deepEqual(registry.replace([b]), [a])
  assert.equal(registry.get(), b)
  assert.deepEqual([closed, registry.versions], [[], 2])
  release()
  release()
  assert.deepEqual([closed, registry.versions], [['a'], 1])
  assert.throws(() => registry.hold(a), { kind: 'ended', message: /model replaced/ })
  registry.replace([c])
  assert.deepEqual(closed, ['a', 'b'])
  await registry.close()
  assert.deepEqual(closed, ['a', 'b', 'c'])
})

test('a replacement without the default model, or with several, changes nothing', async () => {
  const [model] = await loadModels('models', await testDeps())
  const named = createRegistry([model], model.name)
  assert.throws(() => named.replace([]), /the default model .* does not exist; the models are none/)
  assert.equal(named.get(), model)
  const registry = createRegistry([model])
  assert.throws(() => registry.replace(['a', 'b'].map((name) => ({ ...model, name, isDefault: true }))), /several models say that they are the default: a, b/)
  assert.equal(registry.get(model.name), model)
  registry.replace([])
  assert.throws(() => registry.get(), { kind: 'unknown', message: 'no model is served; the models are none' })
})
