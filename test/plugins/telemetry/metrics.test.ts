import assert from 'node:assert/strict'
import { test } from 'node:test'
import supertest from 'supertest'
import { startService, testEngine } from '../../support/app.ts'

test('GET /metrics counts requests by route and status, in seconds', async (t) => {
  const request = supertest((await startService(t)).app.server)
  await request.post('/step').send({ x: [1, 2] }).expect(200)
  await request.post('/models/custom-lstm/step').send({ x: [1] }).expect(422)
  await request.get('/no/such/path').expect(404)
  const { text } = await request.get('/metrics').expect(200).expect('content-type', /^text\/plain/)
  assert.match(text, /cellserve_request_duration_seconds_count\{route="\/step",model="custom-lstm",status="200"\} 1/)
  assert.match(text, /cellserve_request_duration_seconds_count\{route="\/models\/:model\/step",model="custom-lstm",status="422"\} 1/)
  assert.match(text, /cellserve_request_duration_seconds_count\{route="none",model="n\/a",status="404"\} 1/)
  assert.match(text, /cellserve_rejected_total\{reason="unprocessable"\} 1/)
  assert.match(text, /cellserve_steps_total\{model="custom-lstm"\} 1/)
  assert.match(text, /cellserve_batch_rows_count\{model="custom-lstm"\} 1/)
  assert.match(text, /cellserve_queue_duration_seconds_count\{model="custom-lstm"\} 1/)
  assert.match(text, /cellserve_live_rows 0/)
  assert.match(text, /cellserve_compute_duration_seconds_count\{model="custom-lstm"\} 1/)
  assert.match(text, /cellserve_queued_rows\{model="custom-lstm"\} 0/)
  assert.match(text, /^process_cpu_seconds_total /m)
  assert.match(text, /^nodejs_eventloop_lag_p99_seconds /m)
  const { name, backend } = await testEngine()
  assert.ok(text.includes(`engine="${name}",backend="${backend}"`))
})
