import assert from 'node:assert/strict'
import { test } from 'node:test'
import { storeAddress } from '../../src/config/store-address.ts'

test('an address has all that it takes to connect', () => {
  const cases: ReadonlyArray<readonly [url: string, address: object | undefined]> = [
    ['memory', undefined],
    ['redis://cache', { host: 'cache', port: 6379, db: 0, tls: false }],
    ['valkey://cache:7000/3', { host: 'cache', port: 7000, db: 3, tls: false }],
    ['rediss://:p%40ss@cache/', { host: 'cache', port: 6379, db: 0, tls: true, password: 'p@ss' }],
    ['redis://me:secret@[::1]:6380', { host: '::1', port: 6380, db: 0, tls: false, username: 'me', password: 'secret' }]
  ]
  for (const [url, address] of cases) assert.deepEqual(storeAddress(url), address, url)
})
