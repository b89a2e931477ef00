/** Numbers from 0 to 1. */
export type Random = () => number

/** Mulberry32: numbers from 0 to 1, the same in every run. */
export function createRandom (seed: number): Random {
  return () => {
    seed = (seed + 0x6D2B79F5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Numbers in [-scale, scale). */
export function randomFloats (length: number, random: Random, scale = 1): Float32Array {
  return Float32Array.from({ length }, () => (random() * 2 - 1) * scale)
}

export function pick<T> (random: Random, ...choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]
}

/** A whole number from `least` to `most`; small ones are more likely than large ones. */
export function size (random: Random, most: number, least = 1): number {
  return Math.max(least, Math.floor(least + (most - least + 1) * random() ** 3))
}
