import { isDetails, Problem } from './problem.ts'

/**
 * Reads newline-delimited JSON, as fast as the caller consumes it. A caller that stops early ends the connection.
 *
 * @throws Problem if a line is a problem, or the signal's reason.
 */
export async function * readLines (response: Response, signal: AbortSignal | undefined): AsyncGenerator<object, void> {
  const reader = response.body?.getReader()
  if (reader === undefined) return
  const cancel = (): void => { reader.cancel(signal?.reason).catch(() => {}) }
  signal?.addEventListener('abort', cancel)
  try {
    const decoder = new TextDecoder()
    // The beginning of a line, in pieces: a line can be much longer than the chunks that arrive.
    let pieces: string[] = []
    for (;;) {
      signal?.throwIfAborted()
      const { done, value } = await reader.read()
      signal?.throwIfAborted()
      if (done) break
      const text = decoder.decode(value, { stream: true })
      const end = text.lastIndexOf('\n')
      if (end < 0) {
        pieces.push(text)
        continue
      }
      const lines = [...pieces, text.slice(0, end)].join('').split('\n')
      pieces = [text.slice(end + 1)]
      for (const line of lines) yield parse(line, response.headers)
    }
  } finally {
    signal?.removeEventListener('abort', cancel)
    cancel()
  }
}

function parse (line: string, headers: Headers): object {
  const parsed: { readonly error?: unknown } = JSON.parse(line)
  if (isDetails(parsed.error)) throw new Problem(parsed.error, headers)
  return parsed
}
