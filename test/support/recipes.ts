import { readFileSync } from 'node:fs'

export interface Recipe {
  readonly code: string
  /** The output that the document shows. */
  readonly printed: string
}

/** The page of docs/clients/ for each language. */
const PAGES = { go: 'go', java: 'java', python: 'python', ts: 'typescript' } as const

/** The programs of a language's page, with the service at `url`. */
export function programs (language: keyof typeof PAGES, url: string): Recipe[] {
  // Between a program and its output there can be a command that runs it.
  return recipes(PAGES[language], new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`\n\n(?:\`\`\`console\n[^\`]*\`\`\`\n\n)?\`\`\`text\n([^]*?)^\`\`\``, 'gm'), url)
}

/** The commands of a page, one per line. */
export function commands (page: 'curl' | typeof PAGES[keyof typeof PAGES], url: string): Recipe[] {
  return recipes(page, /^\$ (.+)\n((?:(?!\$|```).*\n)*)/gm, url)
}

/** A file that a page shows, by the language of its block. */
export function fileOf (page: typeof PAGES[keyof typeof PAGES], language: 'xml' | 'yaml'): string {
  const [, text] = new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\``, 'm').exec(read(page)) ?? []
  if (text === undefined) throw new Error(`docs/clients/${page}.md has no ${language}`)
  return text
}

function recipes (page: string, pattern: RegExp, url: string): Recipe[] {
  return [...read(page).matchAll(pattern)].map(([, code, printed]) => ({ code: code.replaceAll(/(http:\/\/)?localhost:8080/g, url), printed }))
}

function read (page: string): string {
  return readFileSync(`docs/clients/${page}.md`, 'utf8')
}
