import { unprocessable } from '../errors.ts'

/** The most numbers that one tensor of an answer may have. */
const MAX_ANSWER = 2 ** 24

/** An answer with more numbers is written in pieces, as fast as its client reads. */
export const MAX_WHOLE = 2 ** 16

/** Bytes of a float32 as JSON, with its comma: `-1.23456789e-38,`. */
const TEXT_BYTES = 16

/**
 * @param path the field that asks for them.
 * @throws InputError if an answer would have too many numbers.
 */
export function checkAnswerSize (numbers: number, path: string): void {
  if (numbers > MAX_ANSWER) throw unprocessable(path, `the answer would have ${numbers} numbers, more than the ${MAX_ANSWER} allowed`)
}

/** The most bytes that this many numbers of an answer take: as float32, and as text that is written but not yet sent. */
export function answerBytes (numbers: number): number {
  return Float32Array.BYTES_PER_ELEMENT * numbers + TEXT_BYTES * Math.min(numbers, MAX_WHOLE)
}
