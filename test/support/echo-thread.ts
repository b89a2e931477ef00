import { answerQuestions } from '../../src/thread.ts'

/** A question for the thread in `thread.test.ts`. */
export interface Question {
  readonly does: 'answer' | 'throw' | 'exit' | 'nothing'
  readonly numbers?: readonly Float32Array[]
}

answerQuestions(async (question: Question) => {
  if (question.does === 'throw') throw new RangeError('asked to')
  if (question.does === 'exit') process.exit()
  if (question.does === 'nothing') await new Promise(() => {})
  return question
})
