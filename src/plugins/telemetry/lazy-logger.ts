import type { FastifyBaseLogger } from 'fastify'

type Child = Parameters<FastifyBaseLogger['child']>

/** A logger that is created when something is first logged, as are its children: most requests log nothing. */
export class LazyLogger implements FastifyBaseLogger {
  readonly #make: () => FastifyBaseLogger
  #made: FastifyBaseLogger | undefined

  constructor (make: () => FastifyBaseLogger) {
    this.#make = make
  }

  get #own (): FastifyBaseLogger {
    this.#made ??= this.#make()
    return this.#made
  }

  get level (): FastifyBaseLogger['level'] { return this.#own.level }
  set level (level) { this.#own.level = level }

  get fatal (): FastifyBaseLogger['fatal'] { return this.#own.fatal.bind(this.#own) }
  get error (): FastifyBaseLogger['error'] { return this.#own.error.bind(this.#own) }
  get warn (): FastifyBaseLogger['warn'] { return this.#own.warn.bind(this.#own) }
  get info (): FastifyBaseLogger['info'] { return this.#own.info.bind(this.#own) }
  get debug (): FastifyBaseLogger['debug'] { return this.#own.debug.bind(this.#own) }
  get trace (): FastifyBaseLogger['trace'] { return this.#own.trace.bind(this.#own) }
  get silent (): FastifyBaseLogger['silent'] { return this.#own.silent.bind(this.#own) }

  child (...of: Child): FastifyBaseLogger {
    return new LazyLogger(() => this.#own.child(...of))
  }
}
