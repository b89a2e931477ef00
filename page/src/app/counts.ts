/** A model's counts since the service started. */
export interface Counts {
  readonly requests: number
  readonly steps: number
}

const SAMPLE = /^cellserve_(request_duration_seconds_count|steps_total)\{([^}]*)\} (\S+)$/gm

/** Reads the counts of each model from Prometheus's text format. */
export function readCounts (text: string): Map<string, Counts> {
  const counts = new Map<string, Counts>()
  for (const [, name, labels, value] of text.matchAll(SAMPLE)) {
    const model = /(?:^|,)model="((?:[^"\\]|\\.)*)"/.exec(labels)?.[1].replaceAll(/\\(.)/g, '$1')
    if (model === undefined) continue
    const { requests, steps } = counts.get(model) ?? { requests: 0, steps: 0 }
    counts.set(model, name === 'steps_total' ? { requests, steps: steps + Number(value) } : { requests: requests + Number(value), steps })
  }
  return counts
}
