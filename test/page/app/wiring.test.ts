import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCounts } from '../../../page/src/app/counts.ts'
import { factsOf, formatCell } from '../../../page/src/app/facts.ts'
import { textOf } from '../../../page/src/app/model.ts'
import { diagramOf, sentencesOf } from '../../../page/src/app/wiring.ts'
import { describeAll, serveAll } from '../serving.ts'

test('each model has the boxes and arrows of its wiring', async (t) => {
  const models = await describeAll(await serveAll(t))
  const arrows = Object.fromEntries(models.map((model) => {
    const { boxes, arrows } = diagramOf(model)
    const ids = boxes.map(({ id }) => id)
    for (const { from, to } of arrows) assert.ok(ids.includes(from) && ids.includes(to), model.name)
    assert.equal(new Set(ids).size, ids.length)
    return [model.name, arrows.map(({ from, to, next }) => `${from}${next ? ' ~ ' : ' > '}${to}`).sort()]
  }))
  const plain = ['cells > h', 'h ~ cells', 'x > cells']
  for (const name of ['custom-lstm', 'gru', 'symmetric', 'bidirectional-lstm', 'wave']) assert.deepEqual(arrows[name], plain, name)
  assert.deepEqual(arrows['attention-decoder'], ['cells > h', 'h ~ cells', 'h ~ read', 'read > cells', 'support > read', 'x > cells'])
  assert.deepEqual(arrows['matching-networks'], ['cells > h', 'h ~ cells', 'h ~ read', 'read > cells', 'support > read', 'x > cells', 'x > h'])
  assert.deepEqual(arrows.speller, ['cells > h', 'h > y', 'h ~ cells', 'x > cells'])
  assert.deepEqual(arrows.told, ['cells > h', 'h ~ cells', 'vectors > cells', 'x > cells'])
  assert.deepEqual(arrows.dreamer, ['cells > h', 'h ~ cells'])
  assert.deepEqual(arrows.luong, ['attentional > cells', 'cells > h', 'h ~ attentional', 'h ~ cells', 'h ~ read', 'read > attentional', 'support > read', 'x > cells'])
  assert.deepEqual(arrows.bare, ['cells > h', 'x > cells'])
})

test('the boxes say what they are, and so do the words for those who do not see them', async (t) => {
  const models = await describeAll(await serveAll(t))
  const of = (name: string) => models.find((model) => model.name === name) ?? assert.fail(name)
  const cells = (name: string) => diagramOf(of(name)).boxes.find(({ id }) => id === 'cells')
  assert.deepEqual(cells('custom-lstm'), { id: 'cells', title: 'LSTM', lines: ['h_in = [h, h]'], column: 2 })
  assert.deepEqual(cells('bidirectional-lstm'), { id: 'cells', title: '2 layers of LSTM', lines: ['in both directions', 'h_in = h'], column: 2 })
  assert.deepEqual(cells('luong')?.lines, ['x = [x, attentional]', 'h_in = h'])
  assert.deepEqual(cells('bare')?.lines, ['h_in: from the request'])
  const sentences = sentencesOf(diagramOf(of('matching-networks')))
  assert.match(sentences, /support \(N × 4\); read \(dot attention, 4 numbers\)/)
  assert.match(sentences, /h feeds read in the next step; .*read feeds LSTM/)
  assert.equal(formatCell(of('bidirectional-lstm')), '2 layers of LSTM, both directions')
  const facts = new Map(factsOf(of('speller')))
  assert.deepEqual(['Vocabulary', 'Readout K', 'Input size I', 'Feedback'].map((name) => facts.get(name)), ['7', '5', '3', 'identity'])
  assert.equal(facts.get('Version'), of('speller').version.slice(0, 12))
})

test('a feed in short', () => {
  assert.equal(textOf(['h', { sum: ['read', { product: ['c', 'x'] }] }, { in: 2, out: 3, activation: 'tanh', of: ['read', 'h'] }, { in: 2, out: 3, activation: 'none', of: 'y' }]),
    '[h, read + c × x, tanh(W [read, h]), W y]')
})

test('counts are those of each model, of all its routes', async (t) => {
  const app = await serveAll(t)
  await app.inject({ method: 'POST', url: '/models/gru/sequence', body: { x: [[[1, 2, 3], [4, 5, 6]]] } })
  await app.inject({ method: 'POST', url: '/models/gru/step', body: { x: [[1, 2, 3]] } })
  await app.inject({ method: 'POST', url: '/models/gru/step', body: { x: [[1]] } })
  const counts = readCounts((await app.inject('/metrics')).body)
  assert.deepEqual(counts.get('gru'), { requests: 3, steps: 3 })
  assert.equal(counts.get('symmetric')?.steps ?? 0, 0)
  assert.deepEqual(readCounts('cellserve_steps_total{model="a \\"b\\""} 7\n').get('a "b"'), { requests: 0, steps: 7 })
})
