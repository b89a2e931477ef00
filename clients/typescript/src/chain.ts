import type { SequenceAnswer, SequenceStates, SequenceStep, StepAnswer } from './answers.ts'
import { decodeJson, expect, isSequence, isSequenceLine, isStep } from './decode.ts'
import type { CallOptions } from './http.ts'
import { SEQUENCE_OPTIONS, STEP_OPTIONS, type ChainStart, type SequenceInput, type SequenceRequest, type Start, type StepInput } from './requests.ts'
import { brokenOff, type Service } from './service.ts'
import { Tokens } from './tokens.ts'
import { Turns } from './waiting.ts'

type Fields<F> = { readonly fields: readonly F[] }

/**
 * Rows that continue from call to call. The service keeps nothing: the rows' tokens and the context travel with each request. Calls run
 * one after the other. A call that fails leaves the chain where it was.
 */
export class Chain {
  readonly #service: Service
  readonly #path: string
  readonly #turns = new Turns()
  #start: Start

  constructor (service: Service, path: string, start: ChainStart) {
    this.#service = service
    this.#path = path
    this.#start = { ...start, state: start.state ?? true }
  }

  /**
   * The tokens of the rows' current state; undefined before the first step. They can be stored, and any chain of the model can continue
   * from them.
   */
  get state (): Tokens | undefined {
    const { state } = this.#start
    if (state === true || state === undefined) return undefined
    return state instanceof Tokens ? state : Tokens.from(state)
  }

  /** A step of the model's wiring. */
  async step (request: StepInput, options: CallOptions = {}): Promise<StepAnswer> {
    return await this.#turns.take(async () => {
      const answer = await this.#service.compute(`${this.#path}/step`, { ...request, ...this.#start }, STEP_OPTIONS, options)
      return this.#follow(expect(answer, isStep))
    })
  }

  /** Takes as many steps as `x` has. */
  async sequence (request: SequenceInput & { readonly fields?: undefined }, options?: CallOptions): Promise<SequenceAnswer>
  async sequence<F extends keyof SequenceAnswer> (request: SequenceInput & Fields<F>, options?: CallOptions): Promise<Pick<SequenceAnswer, F>>
  async sequence (request: SequenceInput & Pick<SequenceRequest, 'fields'>, options: CallOptions = {}): Promise<Partial<SequenceAnswer>> {
    return await this.#turns.take(async () => {
      const answer = await this.#service.compute(`${this.#path}/sequence`, this.#going(request), SEQUENCE_OPTIONS, options)
      return this.#follow(expect(answer, isSequence))
    })
  }

  /**
   * The same, but yields each step as soon as it is computed. The chain has moved on once the last line is read. No other call may be
   * in progress until then.
   */
  async * stream (request: SequenceInput & Pick<SequenceRequest, 'fields'>, options: CallOptions = {}): AsyncGenerator<SequenceStep | SequenceStates, void> {
    let last = false
    for await (const line of this.#service.stream(`${this.#path}/sequence`, this.#going(request), SEQUENCE_OPTIONS, options)) {
      const answer = expect(decodeJson(line), isSequenceLine)
      last = answer.t === undefined
      if (answer.t === undefined) this.#follow(answer)
      yield answer
    }
    if (!last) throw brokenOff()
  }

  #going ({ fields, ...request }: SequenceInput & Pick<SequenceRequest, 'fields'>): object {
    return { ...request, ...(fields !== undefined && { fields: [...new Set<string>([...fields, 'state'])] }), ...this.#start }
  }

  #follow<A extends { readonly state?: Tokens }> (answer: A): A {
    if (answer.state === undefined) throw new TypeError('the answer has no state')
    this.#start = { context: this.#start.context, state: answer.state }
    return answer
  }
}
