import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadModels } from '../../src/load.ts'
import { createRegistry } from '../../src/model/registry.ts'
import { testHouse } from '../helper.ts'

test('the only model is the default one', async () => {
  const [model] = await loadModels('models', await testHouse())
  assert.equal(createRegistry([model]).get(), model)
  assert.equal(createRegistry([model]).get(model.name), model)
})

test('a default model that is not there stops the start', async () => {
  const models = await loadModels('models', await testHouse())
  assert.throws(() => createRegistry(models, 'nobody'), /default model nobody is not there; the models are custom-lstm, matching-networks, symmetric/)
})
