import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPlaces, type Place } from '../../../../src/model/sessions/shared/places.ts'
import { buildModel } from '../../../support/small.ts'

const { model } = await buildModel()
const place = (t: number, width = 2): Place => ({
  owner: undefined, model, idleTimeout: 1, expires: 0, held: 0, made: '', stamp: '', row: { t, given: false, seen: false, state: new Float32Array(width).fill(t) }
})

test('a place is a copy, the last that was left', () => {
  const places = createPlaces()
  places.leave('a', place(1))
  const second = place(2)
  places.leave('a', second)
  second.row.state.fill(0)
  assert.deepEqual(places.find('a'), place(2))
  places.drop('a')
  places.drop('a')
  assert.equal(places.find('a'), undefined)
})

test('there are no more than so many, and no more bytes: those that were left longest ago go', () => {
  const places = createPlaces()
  for (let i = 0; i < 5000; i++) places.leave(String(i), place(i))
  assert.deepEqual([places.find('903'), places.find('904')?.row.t], [undefined, 904])
  const wide = 2 ** 20
  for (const id of ['a', 'b', 'c', 'd', 'e']) places.leave(id, place(1, wide))
  places.leave('b', place(2, wide))
  places.leave('f', place(1, wide))
  assert.deepEqual(['4999', 'a', 'b', 'c', 'd', 'e', 'f'].filter((id) => places.find(id) !== undefined), ['b', 'd', 'e', 'f'])
  places.clear()
  for (const id of ['a', 'b', 'c', 'd']) places.leave(id, place(1, wide))
  assert.ok(places.find('a') !== undefined, 'clear gives back all bytes')
})
