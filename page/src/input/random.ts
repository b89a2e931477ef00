/** A pseudorandom generator of numbers from 0 to 1, with the same sequence for a seed everywhere (mulberry32). */
export function createRandom (seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6D2B79F5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Independent vectors of numbers from -1 to 1, with two digits. */
export function randomVectors (random: () => number, count: number, width: number): number[][] {
  return Array.from({ length: count }, () => Array.from({ length: width }, () => rounded(2 * random() - 1)))
}

/** Successive vectors like those of a measured sequence: each number drifts around zero. */
export function randomWalk (random: () => number, steps: number, width: number): number[][] {
  const now = new Array<number>(width).fill(0)
  return Array.from({ length: steps }, () => now.map((value, i) => rounded(now[i] = 0.85 * value + 1.2 * (random() - 0.5))))
}

export function randomIds (random: () => number, count: number, vocabulary: number): number[] {
  return Array.from({ length: count }, () => Math.floor(random() * vocabulary))
}

function rounded (value: number): number {
  return Math.round(value * 100) / 100
}
