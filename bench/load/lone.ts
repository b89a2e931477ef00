/**
 * A client in a separate process. It sends the request from stdin again and again on one connection. The first argument is the port,
 * the second how many milliseconds to run. Prints {"p50": ..., "p99": ...} in milliseconds.
 */
import assert from 'node:assert/strict'
import { buffer } from 'node:stream/consumers'
import { load } from './client.ts'

const [port, ms] = process.argv.slice(2).map(Number)
const request = await buffer(process.stdin)
await load(port, 1, [request], 500)
const { p50, p99, statuses } = await load(port, 1, [request], ms)
assert.deepEqual([...statuses.keys()], [200])
console.log(JSON.stringify({ p50, p99 }))
