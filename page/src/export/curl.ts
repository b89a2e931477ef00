import { addressOf, KEY, type Asked } from './command.ts'

/** In characters. Linux limits one argument of a command to 128 KiB. */
const LONGEST_ARGUMENT = 100_000

/** The request as a command of a POSIX shell. */
export function toCurl (asked: Asked, withKey: boolean): string {
  const body = JSON.stringify(asked.request)
  const command = [
    `curl -sS --fail-with-body ${quote(addressOf(asked))}`,
    "-H 'content-type: application/json'",
    // In double quotes, so that the shell inserts the key.
    ...(withKey ? [`-H "authorization: Bearer $${KEY}"`] : [])
  ].join(' \\\n  ')
  if (body.length < LONGEST_ARGUMENT) return `${command} \\\n  --data-binary ${quote(body)}\n`
  // The JSON is one line, so it cannot contain the line that ends the here-document.
  return `${command} \\\n  --data-binary @- <<'JSON'\n${body}\nJSON\n`
}

/** Quotes a text as one word for a POSIX shell. */
export function quote (text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
