import { unprocessable } from '../errors.ts'

/** The most numbers that one tensor of an answer may have: as JSON they are then still shorter than a string can be. */
const MAX_ANSWER = 2 ** 24

/**
 * @param path the field that asks for them.
 * @throws InputError where an answer would have too many numbers.
 */
export function checkAnswerSize (numbers: number, path: string): void {
  if (numbers > MAX_ANSWER) throw unprocessable(path, `the answer would have ${numbers} numbers, more than the ${MAX_ANSWER} allowed`)
}
