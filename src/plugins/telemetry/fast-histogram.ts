import { Histogram, type HistogramConfiguration } from 'prom-client'

/** The observations with one combination of labels. */
interface Series<L extends string> {
  readonly labels: Readonly<Record<L, string | number>>
  /** How many lie in each bucket, and in none that is lower; at the end, how many lie in none. */
  readonly counts: number[]
  sum: number
}

/**
 * A histogram that a request can afford. prom-client's own `observe` sorts and joins the labels, and writes to an object by the
 * text of a number, which takes microseconds.
 */
export class FastHistogram<L extends string> extends Histogram<L> {
  readonly #config: HistogramConfiguration<L> & { readonly labelNames: readonly L[], readonly buckets: readonly number[] }
  readonly #series = new Map<string, Series<L>>()

  constructor (config: HistogramConfiguration<L> & { readonly labelNames: L[], readonly buckets: number[] }) {
    super(config)
    this.#config = config
  }

  /** Takes the place of `observe`. */
  record (labels: Readonly<Record<L, string | number>>, value: number): void {
    const { labelNames, buckets } = this.#config
    // No label has a NUL: they are routes, status codes, and models, which are names of files.
    let key = ''
    for (const name of labelNames) key += `${labels[name]}\0`
    let series = this.#series.get(key)
    if (series === undefined) {
      series = { labels, counts: new Array<number>(buckets.length + 1).fill(0), sum: 0 }
      this.#series.set(key, series)
    }
    let bucket = 0
    while (bucket < buckets.length && value > buckets[bucket]) bucket++
    series.counts[bucket]++
    series.sum += value
  }

  /** What prom-client writes. */
  async getForPromString (): Promise<object> {
    const { name, help, buckets } = this.#config
    const values: object[] = []
    for (const { labels, counts, sum } of this.#series.values()) {
      let total = 0
      for (const [bucket, count] of counts.entries()) {
        total += count
        values.push({ metricName: `${name}_bucket`, labels: { le: buckets[bucket] ?? '+Inf', ...labels }, value: total })
      }
      values.push({ metricName: `${name}_sum`, labels, value: sum }, { metricName: `${name}_count`, labels, value: total })
    }
    return { name, help, type: 'histogram', values, aggregator: 'sum' }
  }

  /** The same, for other processes to sum up: there are no labels that prom-client would have to take apart. */
  override async get (): ReturnType<Histogram<L>['get']> {
    return Object(await this.getForPromString())
  }
}
