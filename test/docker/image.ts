import { readFile } from 'node:fs/promises'

/** The instructions of docker/Dockerfile, one string per instruction. */
export async function instructions (): Promise<string[]> {
  const lines = (await readFile('docker/Dockerfile', 'utf8')).split('\n').filter((line) => !line.startsWith('#')).join('\n')
  return lines.replaceAll(/\\\n\s*/g, '').split('\n').filter((line) => line !== '')
}

/** The variables that the image sets. */
export async function imageEnvironment (): Promise<Record<string, string>> {
  const pairs = (await instructions()).filter((line) => line.startsWith('ENV ') && !line.includes('CELLSERVE_ENGINE')).flatMap((line) => line.split(' ').slice(1))
  return Object.fromEntries(pairs.map((pair) => pair.split('=')))
}
