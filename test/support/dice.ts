import { randomNumbers } from './reference.ts'

/** Repeatable randomness: the same seed yields the same throws. */
export interface Dice {
  /** A whole number from 0 to n - 1. */
  below (n: number): number
  chance (probability: number): boolean
  pick<T> (list: readonly T[]): T
}

export function createDice (seed: number): Dice {
  const random = randomNumbers(seed)
  const unit = (): number => (random() + 1) / 2
  const below = (n: number): number => Math.floor(unit() * n)
  // Neighbouring seeds begin alike.
  for (let i = 0; i < 3; i++) random()
  return { below, chance: (probability) => unit() < probability, pick: (list) => list[below(list.length)] }
}
