import { addressOf, KEY, type Asked } from './command.ts'

/** What Linux takes as one argument of a command is 128 KiB. */
const LONGEST_ARGUMENT = 100_000

/** The request as a command of a POSIX shell. */
export function toCurl (asked: Asked, withKey: boolean): string {
  const body = JSON.stringify(asked.request)
  const command = [
    `curl -sS --fail-with-body ${quote(addressOf(asked))}`,
    "-H 'content-type: application/json'",
    // In double quotes, for the shell to put the key in.
    ...(withKey ? [`-H "authorization: Bearer $${KEY}"`] : [])
  ].join(' \\\n  ')
  if (body.length < LONGEST_ARGUMENT) return `${command} \\\n  --data-binary ${quote(body)}\n`
  // JSON of one line has no line that ends the document.
  return `${command} \\\n  --data-binary @- <<'JSON'\n${body}\nJSON\n`
}

/** One word of a POSIX shell. */
export function quote (text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
