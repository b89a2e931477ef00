import { readFileSync } from 'node:fs'

export interface Recipe {
  readonly code: string
  /** The output that the document prints. */
  readonly printed: string
}

/** The programs of a page in this language, with the service at `url`. */
export function programs (language: 'python' | 'ts', url: string, page = 'docs/clients.md'): Recipe[] {
  return recipes(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`\n\n\`\`\`text\n([^]*?)^\`\`\``, 'gm'), url, page)
}

/** The commands of docs/clients.md, one per line. */
export function commands (url: string): Recipe[] {
  return recipes(/^\$ (.+)\n((?:(?!\$|```).*\n)*)/gm, url, 'docs/clients.md')
}

function recipes (pattern: RegExp, url: string, page: string): Recipe[] {
  const text = readFileSync(page, 'utf8')
  return [...text.matchAll(pattern)].map(([, code, printed]) => ({ code: code.replaceAll(/(http:\/\/)?localhost:8080/g, url), printed }))
}
