import { base64urlToBytes, bytesToBase64url } from '../../../clients/typescript/src/base64url.ts'
import { messageOf } from '../app/message.ts'

/** The contents of a link. */
export interface Linked {
  readonly model: string
  /** The body of a request; left out in a link to only a model. */
  readonly request?: object
}

/** The most characters of a link: programs that pass links on cut longer ones. */
const MAX_LINK = 16_000
/** The most bytes of a request that is read from a link. */
const MAX_REQUEST = 4_000_000

/**
 * The part of an address after `#`, which no server receives: the model, and the compressed request.
 *
 * @returns undefined if the request is too long for a link.
 */
export async function writeLink ({ model, request }: Linked): Promise<string | undefined> {
  const fields = new URLSearchParams({ model, ...(request !== undefined && { request: bytesToBase64url(await compress(JSON.stringify(request))) }) })
  const link = `#${String(fields)}`
  return link.length > MAX_LINK ? undefined : link
}

/** @returns undefined if it contains no link, Error if the request in it cannot be read. */
export async function readLink (hash: string): Promise<Linked | Error | undefined> {
  const fields = new URLSearchParams(hash.replace(/^#/, ''))
  const model = fields.get('model')
  const packed = fields.get('request')
  if (model === null) return undefined
  if (packed === null) return { model }
  try {
    const request: unknown = JSON.parse(await decompress(base64urlToBytes(packed)))
    if (typeof request === 'object' && request !== null && !Array.isArray(request)) return { model, request }
    throw new TypeError('it is not an object')
  } catch (error) {
    return new Error(`The request in the link cannot be read: ${messageOf(error)}`)
  }
}

async function compress (text: string): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([text]).stream().pipeThrough(new CompressionStream('deflate-raw'))).arrayBuffer())
}

/** @throws RangeError if the text is too long, TypeError if it is not compressed. */
async function decompress (bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return text + decoder.decode()
    length += value.length
    if (length > MAX_REQUEST) {
      await reader.cancel()
      throw new RangeError(`it has more than ${MAX_REQUEST} bytes`)
    }
    text += decoder.decode(value, { stream: true })
  }
}
