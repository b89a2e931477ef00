import { readFileSync } from 'node:fs'

export interface Recipe {
  readonly code: string
  /** The output that the document prints. */
  readonly printed: string
}

/** The page that has the programs in a language. */
const PAGES = { python: 'docs/clients.md', ts: 'docs/clients/typescript.md' } as const

/** The programs in this language, with the service at `url`. */
export function programs (language: keyof typeof PAGES, url: string): Recipe[] {
  return recipes(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`\n\n\`\`\`text\n([^]*?)^\`\`\``, 'gm'), url, PAGES[language])
}

/** The commands of docs/clients.md, one per line. */
export function commands (url: string): Recipe[] {
  return recipes(/^\$ (.+)\n((?:(?!\$|```).*\n)*)/gm, url, PAGES.python)
}

function recipes (pattern: RegExp, url: string, page: string): Recipe[] {
  const text = readFileSync(page, 'utf8')
  return [...text.matchAll(pattern)].map(([, code, printed]) => ({ code: code.replaceAll(/(http:\/\/)?localhost:8080/g, url), printed }))
}
