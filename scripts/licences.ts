import { readFile } from 'node:fs/promises'

/** A package that a production install includes. */
export interface Licensed {
  readonly name: string
  readonly version: string
  /** An SPDX expression, from the package itself. */
  readonly licence: string
}

/** Licences that only require their notice to be kept. */
const PERMISSIVE = new Set(['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'CC0-1.0', 'ISC', 'MIT', 'MIT-0', 'Unlicense', 'Zlib'])

/** Development dependencies whose code the build puts into the page. */
const BUNDLED = ['preact', '@preact/signals', '@preact/signals-core'].map((name) => `node_modules/${name}`)

/**
 * The production dependencies that the checkout's package-lock.json pins and the packages in the page, by name, with the licences from
 * their own package.json files.
 */
export async function readLicences (): Promise<Licensed[]> {
  const { packages }: { packages: Record<string, { dev?: boolean, link?: boolean }> } = await readJson('package-lock.json')
  const paths = Object.entries(packages).filter(([path, { dev, link }]) => path.startsWith('node_modules/') && (dev !== true || BUNDLED.includes(path)) && link !== true).map(([path]) => path)
  const found = new Map<string, Licensed>()
  for (const path of paths) {
    const { name, version, license }: { name: string, version: string, license?: unknown } = await readJson(`${path}/package.json`)
    found.set(`${name} ${version}`, { name, version, licence: typeof license === 'string' ? license : 'unknown' })
  }
  return [...found].sort(([a], [b]) => a < b ? -1 : 1).map(([, licensed]) => licensed)
}

/** Whether permissive licences alone satisfy an SPDX expression. */
export function isPermissive (expression: string): boolean {
  return expression.replace(/^\((.*)\)$/, '$1').split(' OR ').some((choice) => choice.split(' AND ').every((id) => PERMISSIVE.has(id)))
}

/** The text of the committed list. */
export function licencesText (packages: readonly Licensed[]): string {
  const counts = new Map<string, number>()
  for (const { licence } of packages) counts.set(licence, (counts.get(licence) ?? 0) + 1)
  const summary = [...counts].sort(([, a], [, b]) => b - a).map(([licence, count]) => `${count} ${licence}`).join(', ')
  return [
    '# Licences of the production dependencies',
    '',
    `Written by \`npm run licences\`. ${packages.length} packages: ${summary}. Those of preact are in the files of the page, which have their licences.`,
    '',
    '| package | version | licence |',
    '| --- | --- | --- |',
    ...packages.map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`),
    ''
  ].join('\n')
}

async function readJson<T> (path: string): Promise<T> {
  return JSON.parse(await readFile(path, 'utf8'))
}
