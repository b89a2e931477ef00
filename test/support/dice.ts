import { createRandom } from './random.ts'

/** Repeatable randomness: the same seed gives the same throws. */
export interface Dice {
  /** A whole number from 0 to n - 1. */
  below (n: number): number
  chance (probability: number): boolean
  pick<T> (list: readonly T[]): T
}

export function createDice (seed: number): Dice {
  const random = createRandom(seed)
  const below = (n: number): number => Math.floor(random() * n)
  return { below, chance: (probability) => random() < probability, pick: (list) => list[below(list.length)] }
}
