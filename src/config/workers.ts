import type { Config } from './settings.ts'
import { inMemory } from './store-address.ts'

/** One worker for each core. */
const AUTO = 'auto'
const MOST = 256

/** What is wrong with `text` as `--workers`, or undefined. */
export function workersFault (text: string): string | undefined {
  if (text === AUTO || (/^[1-9]\d{0,2}$/.test(text) && Number(text) <= MOST)) return undefined
  return `expected auto, or a number from 1 to ${MOST}, got ${JSON.stringify(text)}`
}

/** How many processes serve. */
export function workersOf ({ workers }: Config, cores: () => number): number {
  return workers === AUTO ? Math.min(MOST, cores()) : Number(workers)
}

/** Limits of the whole service that each process enforces by itself. */
const BOUNDS = ['max-rows', 'max-bytes', 'max-connections', 'max-sockets'] as const

/**
 * The settings of one of several workers: its share of what the service as a whole may hold, so that all workers together hold no
 * more. A share is at least 1, unless the limit is 0.
 */
export function shareOf (config: Config, workers: number, cores: () => number): Config {
  const share = (whole: number): number => Math.max(Math.min(1, whole), Math.floor(whole / workers))
  const shares = Object.fromEntries(BOUNDS.map((name) => [name, share(config[name])]))
  const sessions = config['max-session-bytes'] - shelfBytes(config)
  return { ...config, ...shares, 'max-session-bytes': share(sessions), threads: share(config.threads ?? cores()) }
}

/** How many bytes sessions may take in the primary, which keeps them; the rest is for what the workers cache of them. */
export function shelfBytes ({ sessions, 'max-session-bytes': bytes }: Config): number {
  return inMemory(sessions) ? Math.floor(bytes / 2) : 0
}
