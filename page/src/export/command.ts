import type { Run } from '../run/run.ts'

/** The parts of a run that a program needs. */
export type Asked = Pick<Run, 'model' | 'request' | 'url'>

/** The environment variable from which programs read the key, so that shared programs never contain it. */
export const KEY = 'CELLSERVE_API_KEY'

/** The address that the request went to. */
export function addressOf ({ url, model }: Asked): string {
  return `${url.replace(/\/+$/, '')}/models/${encodeURIComponent(model)}/sequence`
}
