import assert from 'node:assert/strict'
import { test } from 'node:test'
import { logged } from '../../support/logged.ts'

test('a line says who asked for which model, and how many bytes went to and fro', async (t) => {
  const { request, lines } = await logged(t, 'info', '--access-log', '--trust-proxy', 'loopback')
  const body = { x: [0.5, -0.25] }
  const bytes = JSON.stringify(body).length
  const answers = [
    await request.post('/step').send(body).expect(200),
    await request.post('/models/matching-networks/step').set('x-forwarded-for', '192.0.2.7').send(body).expect(422),
    await request.post('/models/nobody/step').send(body).expect(404),
    await request.get('/models?all').expect(200),
    await request.get('/nothing').expect(404)
  ]
  const logs = lines().filter(({ msg }) => msg === 'answered')
  assert.deepEqual(logs.map(({ client, method, path, model, status, received, sent }) => [client, method, path, model, status, received, sent]), [
    ['127.0.0.1', 'POST', '/step', 'custom-lstm', 200, bytes],
    ['192.0.2.7', 'POST', '/models/matching-networks/step', 'matching-networks', 422, bytes],
    // A name that a client made up is in the path alone.
    ['127.0.0.1', 'POST', '/models/nobody/step', undefined, 404, bytes],
    ['127.0.0.1', 'GET', '/models', undefined, 200, undefined],
    ['127.0.0.1', 'GET', '/nothing', undefined, 404, undefined]
  ].map((line, i) => [...line, Buffer.byteLength(answers[i].text)]))
})

test('the bytes of a streamed answer are counted as they go, and those of a HEAD are none', async (t) => {
  const { request, lines } = await logged(t, 'info', '--access-log')
  const { text } = await request.post('/sequence').set('accept', 'application/x-ndjson').buffer(true).parse((response, done) => {
    let text = ''
    response.on('data', (chunk) => { text += String(chunk) })
    response.on('end', () => done(null, text))
  }).send({ x: Array.from({ length: 500 }, () => [0.5, -0.25]) }).expect(200).then(({ body }) => ({ text: String(body) }))
  assert.equal(text.split('\n').length, 502)
  await request.head('/models').expect(200)
  const [stream, head] = lines().filter(({ msg }) => msg === 'answered')
  assert.deepEqual([stream.path, stream.model, stream.sent], ['/sequence', 'custom-lstm', Buffer.byteLength(text)])
  assert.deepEqual([head.method, head.sent], ['HEAD', 0])
})
