/**
 * Round numbers from `from` to `to`, 1, 2 or 5 times a power of ten apart.
 *
 * @param most the largest number of ticks.
 * @param least the smallest distance between ticks: 1 for whole numbers.
 */
export function ticks (from: number, to: number, most: number, least = 0): number[] {
  if (!(to > from) || most < 1) return []
  const step = Math.max(least, roundUp((to - from) / most, [1, 2, 5, 10]))
  const first = Math.ceil(from / step - 1e-9)
  const count = Math.floor(to / step + 1e-9) - first + 1
  // The product of two round numbers can end in ...0004.
  return Array.from({ length: Math.max(0, count) }, (_, i) => tidy((first + i) * step))
}

/** Rounds up to one of `mantissas` times a power of ten. */
export function roundUp (value: number, mantissas: readonly number[]): number {
  const power = 10 ** Math.floor(Math.log10(value))
  const mantissa = mantissas.find((each) => each * power >= value * (1 - 1e-9)) ?? 10
  return tidy(mantissa * power)
}

export function tidy (value: number): number {
  return Number(value.toPrecision(12))
}
