import type { Run } from '../run/run.ts'

/** A run's request, to be written as a program. */
export type Asked = Pick<Run, 'model' | 'request' | 'url'>

/** Where programs take the key from; what people paste and pass on never has the key itself. */
export const KEY = 'CELLSERVE_API_KEY'

/** The address that the request went to. */
export function addressOf ({ url, model }: Asked): string {
  return `${url.replace(/\/+$/, '')}/models/${encodeURIComponent(model)}/sequence`
}
