import { createHash } from 'node:crypto'
import { TOMBSTONE } from '../session.ts'

/** A script that the store runs atomically. */
export interface Script {
  /** Its name in the metrics. */
  readonly name: string
  readonly lua: string
  readonly sha: string
  readonly keys: number
}

function script (name: string, keys: number, lua: string): Script {
  return { name, lua, keys, sha: createHash('sha1').update(lua).digest('hex') }
}

/**
 * A session has three keys: its row, a hash; its mark, which outlives the row by TOMBSTONE and holds the owner and, if somebody ended the
 * session, why; its context. The row and the context expire when nobody has used the session for its idle time. A script's answer
 * begins with `live`, or with why there is no such session.
 */
const SESSION = `
local TOMBSTONE = ${TOMBSTONE}
local function gone (owner)
  local mark = redis.call('GET', KEYS[2])
  if not mark then return { 'unknown' } end
  local by, reason = string.match(mark, '^(%S*) ?(.*)$')
  if by ~= owner then return { 'unknown' } end
  if reason ~= '' then return { reason } end
  -- A row goes TOMBSTONE before its mark; one that has gone earlier was not let go by us.
  if redis.call('PTTL', KEYS[2]) > TOMBSTONE + 1000 then return { 'lost' } end
  return { 'expired' }
end
local function touch (idle)
  redis.call('PEXPIRE', KEYS[1], idle)
  redis.call('PEXPIRE', KEYS[2], idle + TOMBSTONE)
  redis.call('PEXPIRE', KEYS[3], idle)
end
local function check (row, owner)
  if not row[1] then return gone(owner) end
  if row[1] ~= owner then return { 'unknown' } end
end
`

/** owner, idle, model, version, bytes held, row, stamp, context or nothing. It replaces what was there. */
export const CREATE = script('create', 3, `${SESSION}
redis.call('DEL', KEYS[1], KEYS[3])
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'idle', ARGV[2], 'model', ARGV[3], 'version', ARGV[4], 'held', ARGV[5], 'row', ARGV[6], 'stamp', ARGV[7], 'made', ARGV[7])
redis.call('SET', KEYS[2], ARGV[1])
if ARGV[8] then redis.call('SET', KEYS[3], ARGV[8]) end
touch(tonumber(ARGV[2]))
return { 'live' }
`)

/**
 * owner; `use`, or `look` to leave the time as it is; the t whose answer is wanted, or nothing.
 *
 * Answers model, version, idle, milliseconds left, bytes held, row, stamp, its first stamp, and what was answered for that t: digest,
 * answer. The time starts again once a hundredth of it has passed: a write for every read costs more than it is worth.
 */
export const READ = script('read', 3, `${SESSION}
local row = redis.call('HMGET', KEYS[1], 'owner', 'model', 'version', 'idle', 'held', 'row', 'stamp', 'before', 'made')
local fault = check(row, ARGV[1])
if fault then return fault end
local idle = tonumber(row[4])
local left = redis.call('PTTL', KEYS[1])
if ARGV[2] == 'use' and left < 0.99 * idle then
  touch(idle)
  left = idle
end
local answered = {}
if ARGV[3] and ARGV[3] == row[8] then answered = redis.call('HMGET', KEYS[1], 'digest', 'answer') end
return { 'live', row[2], row[3], row[4], tostring(left), row[5], row[6], row[7], row[9] or '', answered[1] or '', answered[2] or '' }
`)

/** owner, the milliseconds for which it stays even if nobody uses it. */
export const TOUCH = script('touch', 3, `${SESSION}
local fault = check(redis.call('HMGET', KEYS[1], 'owner'), ARGV[1])
if fault then return fault end
touch(tonumber(ARGV[2]))
return { 'live' }
`)

/**
 * owner, the stamp that the row was read with, its next stamp, row, the t before it, digest, answer.
 *
 * Each state of a session has a stamp of its own. A call that is repeated because its answer was lost succeeds again.
 */
export const ADVANCE = script('advance', 3, `${SESSION}
local row = redis.call('HMGET', KEYS[1], 'owner', 'stamp', 'idle')
local fault = check(row, ARGV[1])
if fault then return fault end
if row[2] ~= ARGV[3] then
  if row[2] ~= ARGV[2] then return { 'moved' } end
  redis.call('HSET', KEYS[1], 'stamp', ARGV[3], 'row', ARGV[4], 'before', ARGV[5], 'digest', ARGV[6], 'answer', ARGV[7])
end
touch(tonumber(row[3]))
return { 'live' }
`)

/** owner. Answers the model. */
export const END = script('end', 3, `${SESSION}
local row = redis.call('HMGET', KEYS[1], 'owner', 'model')
local fault = check(row, ARGV[1])
if fault then return fault end
redis.call('SET', KEYS[2], ARGV[1] .. ' deleted', 'PX', TOMBSTONE)
redis.call('DEL', KEYS[1], KEYS[3])
return { 'live', row[2] }
`)

/**
 * The index: when each session is due for a check, the number of the next one, and the sessions of an owner and a model in order of
 * creation.
 *
 * most, entry, id, idle. Answers whether there is room, how many sessions there are, and entries that are due.
 */
export const ENTER = script('enter', 3, `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)
local count = redis.call('ZCARD', KEYS[1])
local room = count < tonumber(ARGV[1]) or redis.call('ZSCORE', KEYS[1], ARGV[2])
if room then
  redis.call('ZADD', KEYS[1], now + ARGV[4], ARGV[2])
  redis.call('ZADD', KEYS[3], redis.call('INCR', KEYS[2]), ARGV[3])
end
return { room and 'room' or 'full', tostring(count), unpack(due) }
`)

/** entry, id, the milliseconds that it has left, negative if it has ended. */
export const SETTLE = script('settle', 3, `
if tonumber(ARGV[3]) < 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[2])
else
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[1], 'XX', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3], ARGV[1])
end
return { 'settled' }
`)
