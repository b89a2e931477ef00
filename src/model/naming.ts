import { InputError } from '../errors.ts'

/** Adds the model's name to every InputError that `answer` throws. */
export async function naming<T> (model: string, answer: () => Promise<T>): Promise<T> {
  try {
    return await answer()
  } catch (error) {
    throw named(error, model)
  }
}

export async function * namingStream<T, R> (model: string, answer: () => AsyncGenerator<T, R>): AsyncGenerator<T, R> {
  try {
    return yield * answer()
  } catch (error) {
    throw named(error, model)
  }
}

function named (error: unknown, model: string): unknown {
  if (error instanceof InputError) error.model = model
  return error
}
