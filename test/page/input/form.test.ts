import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { widthOfVectors } from '../../../page/src/app/model.ts'
import { createForm, fillFrom, fillRandom, requestOf, showFaults, type Form } from '../../../page/src/input/form.ts'
import { rowOf } from '../../../page/src/run/row.ts'
import { buildTestApp } from '../../support/app.ts'
import { writeModels } from '../../support/models.ts'
import { customLstm, f32, writeSafetensors } from '../../support/safetensors.ts'
import { DEMO, describeAll, serveAll } from '../serving.ts'

const fieldOf = (form: Form, name: string) => form.fields.find(({ spec }) => spec.path.at(-1) === name) ?? assert.fail(name)

test('the example that a form opens with is one that the service answers, whatever the model', async (t) => {
  const app = await serveAll(t)
  const models = await describeAll(app)
  assert.deepEqual(models.map(({ name }) => name).filter((name) => DEMO.includes(name)), DEMO)
  for (const model of models) {
    const form = createForm(model)
    const request = requestOf(form) ?? assert.fail(model.name)
    const { body, statusCode } = await app.inject({ method: 'POST', url: `/models/${model.name}/sequence`, body: request })
    // The wiring of a model whose feedback only clients know is theirs.
    assert.equal(statusCode, model.name === 'bare' ? 422 : 200, `${model.name}: ${body}`)
    if (model.name === 'bare') continue
    const { output, parts = {} } = JSON.parse(body)
    assert.equal(output.length, 1)
    assert.equal(output[0].length, 48)
    assert.deepEqual(Object.keys(parts).sort(), form.parts.filter(({ wanted }) => wanted.value).map(({ name }) => name).sort(), model.name)
  }
})

test('forms of other models ask for what those take', async (t) => {
  const models = await describeAll(await serveAll(t))
  const required = (name: string): Array<[string, number | undefined]> => {
    const model = models.find((each) => each.name === name) ?? assert.fail(name)
    return createForm(model).fields.filter(({ spec }) => spec.required).map(({ spec: { path, width } }) => [path.join('.'), width])
  }
  assert.deepEqual(required('wave'), [['x', 1]])
  assert.deepEqual(required('speller'), [['ids', undefined]])
  assert.deepEqual(required('told'), [['x', 2], ['context.vectors', 4]])
  assert.deepEqual(required('dreamer'), [['steps', undefined]])
  assert.deepEqual(required('luong'), [['x', 2], ['context.support', 3]])
})

describe('the width of vectors is what the other parts leave', () => {
  for (const [name, I, Hi, config, tensors, width] of [
    ['beside h', 2, 9, { h_in: ['h', 'vectors'] }, {}, 6],
    ['beside x', 6, 3, { x: ['x', 'vectors'], h_in: ['h'], widths: { vectors: 4 } }, {}, 4],
    ['alone', 6, 3, { x: ['vectors'], h_in: ['h'] }, {}, 6],
    ['in a sum', 2, 3, { h_in: { sum: ['h', 'vectors'] } }, {}, 3],
    ['in a linear layer', 2, 9, { h_in: { weight: 'w', of: ['h', 'vectors'] } }, { w: [9, 8] }, 5],
    ['in a let', 6, 3, { let: { mixed: { weight: 'w', of: ['vectors', 'h'] } }, x: ['x', 'mixed'], h_in: ['h'] }, { w: [4, 7] }, 4],
    ['not there', 2, 3, { h_in: ['h'] }, {}, undefined]
  ] as const) {
    test(name, async (t) => {
      const models = await writeModels(t, {
        'm/model.safetensors': writeSafetensors({
          ...customLstm(I, Hi, 3),
          ...Object.fromEntries(Object.entries(tensors).map(([tensor, [rows, columns]]) => [tensor, f32([rows, columns], new Array<number>(rows * columns).fill(0.1))]))
        }),
        'm/config.json': JSON.stringify({ feedback: { policy: 'wiring', ...config } })
      })
      const [model] = await describeAll(await buildTestApp(t, '--models', models))
      assert.equal(widthOfVectors(model), width)
    })
  }
})

test('a form makes the request of what is written in it, and another one shows the same', async (t) => {
  const models = await describeAll(await serveAll(t))
  const model = models.find(({ name }) => name === 'matching-networks') ?? assert.fail()
  const form = createForm(model)
  fieldOf(form, 'x').text.value = '1, 2, 3, 4\n5 6 7 8'
  fieldOf(form, 'support').text.value = '[[0, 0, 0, 1], [1, 0, 0, 0]]'
  fieldOf(form, 'h_0').text.value = '1, 2, 3, 4'
  form.parts.forEach(({ name, wanted }) => { wanted.value = name === 'attention' })
  const request = requestOf(form)
  const expected = {
    x: [[[1, 2, 3, 4], [5, 6, 7, 8]]],
    context: { support: [[0, 0, 0, 1], [1, 0, 0, 0]] },
    h_0: [[1, 2, 3, 4]],
    parts: ['attention']
  }
  assert.deepEqual(request, expected)
  const other = createForm(model)
  fillFrom(other, expected)
  assert.deepEqual(requestOf(other), expected)
  assert.deepEqual(rowOf(expected), {
    start: { h_0: [1, 2, 3, 4], h_in: undefined, c_in: undefined, context: expected.context },
    steps: [{ x: [1, 2, 3, 4], parts: ['attention'] }, { x: [5, 6, 7, 8], parts: ['attention'] }]
  })
})

test('ids, vectors of each step and repeated steps have their places in requests of one row', async (t) => {
  const models = await describeAll(await serveAll(t))
  const form = (name: string): Form => createForm(models.find((each) => each.name === name) ?? assert.fail(name))
  const speller = form('speller')
  fieldOf(speller, 'ids').text.value = '3 1 2'
  speller.parts.forEach(({ wanted }) => { wanted.value = false })
  assert.deepEqual(requestOf(speller), { ids: [[3, 1, 2]] })
  assert.deepEqual(rowOf({ ids: [[3, 1, 2]] }).steps, [{ ids: 3 }, { ids: 1 }, { ids: 2 }])

  const told = form('told')
  told.parts.forEach(({ wanted }) => { wanted.value = false })
  fieldOf(told, 'x').text.value = '1, 2'
  fieldOf(told, 'steps').text.value = '3'
  fieldOf(told, 'vectors').text.value = '1, 2, 3, 4'
  assert.deepEqual(requestOf(told), { x: [[[1, 2]]], steps: 3, context: { vectors: [1, 2, 3, 4] } })
  assert.deepEqual(rowOf({ x: [[[1, 2]]], steps: 3 }).steps, [{ x: [1, 2] }, { x: [1, 2] }, { x: [1, 2] }])
  fieldOf(told, 'vectors').text.value = '1, 2, 3, 4\n5, 6, 7, 8'
  assert.deepEqual(requestOf(told)?.context, { vectors: [[[1, 2, 3, 4], [5, 6, 7, 8]]] })
  assert.deepEqual(rowOf({ steps: 2, parts: ['h'] }).steps, [{ parts: ['h'] }, { parts: ['h'] }])
})

test('what cannot be read is said beside its field, and nothing is sent', async (t) => {
  const models = await describeAll(await serveAll(t))
  const form = createForm(models.find(({ name }) => name === 'custom-lstm') ?? assert.fail())
  fieldOf(form, 'x').text.value = '1, 2\n3, four'
  fieldOf(form, 'steps').text.value = '2.5'
  assert.equal(requestOf(form), undefined)
  assert.equal(fieldOf(form, 'x').fault.value, 'Line 2: “four” is not a number.')
  assert.equal(fieldOf(form, 'steps').fault.value, 'Expected a whole number from 1 on.')
  fillRandom(fieldOf(form, 'x'), 3, 5)
  fieldOf(form, 'steps').text.value = ''
  const { x } = requestOf(form) ?? assert.fail()
  assert.ok(Array.isArray(x))
  assert.equal(x[0].length, 5)
  assert.equal(fieldOf(form, 'x').fault.value, undefined)
})

test('what the service finds wrong is said beside the field that it names', async (t) => {
  const app = await serveAll(t)
  const models = await describeAll(app)
  const wrong = async (name: string, texts: Readonly<Record<string, string>>): Promise<Form> => {
    const form = createForm(models.find((each) => each.name === name) ?? assert.fail(name))
    for (const [field, text] of Object.entries(texts)) fieldOf(form, field).text.value = text
    const { errors } = (await app.inject({ method: 'POST', url: `/models/${name}/sequence`, body: requestOf(form) ?? {} })).json()
    showFaults(form, errors)
    return form
  }
  const ragged = await wrong('custom-lstm', { x: '1, 2\n1, 2, 3' })
  assert.equal(fieldOf(ragged, 'x').fault.value, 'Step 1 (line 2): ragged: has 3 numbers, but the first has 2')
  const narrow = await wrong('custom-lstm', { x: '1', h_0: '1, 2' })
  assert.match(fieldOf(narrow, 'x').fault.value ?? '', /^expected vectors of 2 numbers \(I\), got 1$/)
  const support = await wrong('matching-networks', { support: '1, 2, 3, 4\n5' })
  assert.match(fieldOf(support, 'support').fault.value ?? '', /^Vector 1 \(line 2\): ragged/)
  const id = await wrong('speller', { ids: '1, 2, 7' })
  assert.match(fieldOf(id, 'ids').fault.value ?? '', /^Number 3: expected 0 to 6/)
  assert.equal(id.fault.value, undefined)
  showFaults(id, [{ path: '/parts/0', message: 'there is no part "x"' }, { path: '', message: 'too much' }])
  assert.equal(id.fault.value, '/parts/0: there is no part "x"; too much')
})
