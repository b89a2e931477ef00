import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Negotiator from 'negotiator'

/** Where the build puts the page; a checkout without development dependencies has none. */
export const BUILT_PAGE = fileURLToPath(new URL('../../dist/page', import.meta.url))

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml'
}

/** The encodings in which the build writes each file, the smallest first, and their file name endings. */
const ENDINGS: Readonly<Record<string, string>> = { br: '.br', gzip: '.gz', identity: '' }

interface PageFile {
  readonly type: string
  readonly encoding: string
  readonly content: Buffer
}

/**
 * Reads a file of the page, in the smallest encoding that the client accepts. Nothing is kept in memory: a file has only a few
 * kilobytes, and browsers cache it.
 *
 * @param path the path of the file in the folder, built from names that have been checked.
 * @returns undefined if there is no such file.
 */
export async function findFile ({ raw }: FastifyRequest, folder: string, path: string): Promise<PageFile | undefined> {
  const type = TYPES[extname(path)]
  if (type === undefined) return undefined
  const accepted = new Negotiator(raw).encodings(Object.keys(ENDINGS))
  const [encoding, ending] = Object.entries(ENDINGS).find(([name]) => accepted.includes(name)) ?? ['identity', '']
  const content = await read(join(folder, path + ending))
  return content && { type, encoding, content }
}

/** Sends a file, unless the client already has it. */
export function sendFile ({ headers }: FastifyRequest, reply: FastifyReply, { type, encoding, content }: PageFile): FastifyReply {
  const etag = `"${createHash('sha256').update(content).digest('base64url')}"`
  reply.headers({ etag, vary: 'accept, accept-encoding' })
  if (knows(headers['if-none-match'], etag)) return reply.code(304).send()
  if (encoding !== 'identity') reply.header('content-encoding', encoding)
  return reply.type(type).send(content)
}

async function read (file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file)
  } catch {
    return undefined
  }
}

/** A proxy that compresses makes tags weak. */
function knows (tags: string | undefined, etag: string): boolean {
  return tags?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag) === true
}
