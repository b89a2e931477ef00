import type { Config } from './settings.ts'
import { inMemory } from './store-address.ts'

/** As many as there are cores. */
const AUTO = 'auto'
const MOST = 256

/** What is wrong with `text` as `--workers`, or undefined. */
export function workersFault (text: string): string | undefined {
  if (text === AUTO || (/^[1-9]\d{0,2}$/.test(text) && Number(text) <= MOST)) return undefined
  return `expected auto, or a number from 1 to ${MOST}, got ${JSON.stringify(text)}`
}

/** How many processes are to serve. */
export function workersOf ({ workers }: Config, cores: () => number): number {
  return workers === AUTO ? Math.min(MOST, cores()) : Number(workers)
}

/** The bounds of the whole service that each process keeps by itself. */
const BOUNDS = ['max-rows', 'max-bytes', 'max-connections', 'max-sockets'] as const

/**
 * The settings of one of several workers: its share of what the service as a whole may hold, so that all of them together hold no more. A
 * share is 1 at least, except of nothing.
 */
export function shareOf (config: Config, workers: number, cores: () => number): Config {
  const share = (whole: number): number => Math.max(Math.min(1, whole), Math.floor(whole / workers))
  const shares = Object.fromEntries(BOUNDS.map((name) => [name, share(config[name])]))
  const sessions = config['max-session-bytes'] - shelfBytes(config)
  return { ...config, ...shares, 'max-session-bytes': share(sessions), threads: share(config.threads ?? cores()) }
}

/** How many bytes sessions may take where they are kept; the rest is for what the workers have at hand of them. */
export function shelfBytes ({ sessions, 'max-session-bytes': bytes }: Config): number {
  return inMemory(sessions) ? Math.floor(bytes / 2) : 0
}
