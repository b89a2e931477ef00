import { readFileSync } from 'node:fs'

export interface Recipe {
  readonly code: string
  /** The output that the document prints. */
  readonly printed: string
}

/** The programs of docs/clients.md in this language, with the service at `url`. */
export function programs (language: 'python' | 'ts', url: string): Recipe[] {
  return recipes(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`\n\n\`\`\`text\n([^]*?)^\`\`\``, 'gm'), url)
}

/** Its commands, one per line. */
export function commands (url: string): Recipe[] {
  return recipes(/^\$ (.+)\n((?:(?!\$|```).*\n)*)/gm, url)
}

function recipes (pattern: RegExp, url: string): Recipe[] {
  const text = readFileSync('docs/clients.md', 'utf8')
  return [...text.matchAll(pattern)].map(([, code, printed]) => ({ code: code.replaceAll(/(http:\/\/)?localhost:8080/g, url), printed }))
}
