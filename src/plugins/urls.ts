import { problem, type Problem } from './problem.ts'

/** The longest part of a path, in characters: no file, and so no model, has a longer name. */
const MAX_PART = 255
/** No route has this path, or one that ends with it. */
const NOWHERE = '/.nowhere'
/** The prefix of the paths whose errors have their own format. */
export const INFERENCE_PREFIX = '/v2'

/** Fastify's `rewriteUrl`: turns a URL that the router would refuse before any hook runs into a path without a route, so that hooks run. */
export function rewriteUrl ({ url = '' }: { readonly url?: string | undefined }): string {
  if (problemOfUrl(url) === undefined) return url
  return url.startsWith(`${INFERENCE_PREFIX}/`) ? INFERENCE_PREFIX + NOWHERE : NOWHERE
}

/** Why no route can have this URL; undefined if one can. */
export function problemOfUrl (url: string): Problem | undefined {
  // Most paths contain nothing that could be wrong.
  if (url.length <= MAX_PART && !url.includes('%')) return undefined
  const [path] = url.split(/[?#]/, 1)
  try {
    const longest = path.split('/').reduce((most, part) => Math.max(most, decodeURIComponent(part).length), 0)
    return longest > MAX_PART ? problem(414, `a part of the path has ${longest} characters, more than the ${MAX_PART} allowed`) : undefined
  } catch {
    return problem(400, `the path ${path.slice(0, MAX_PART)} is not URL-encoded`)
  }
}
