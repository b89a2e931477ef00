import type { FrameStep, RowStart } from '../../../clients/typescript/src/client.ts'

/** A request of one row, as a row of its own takes it: where it begins, and its steps. */
export interface Row {
  readonly start: RowStart
  readonly steps: readonly FrameStep[]
}

/** What the fields of a form make of a request, `[1]...` everywhere. */
interface OneRow {
  readonly x?: ReadonlyArray<ReadonlyArray<readonly number[]>>
  readonly ids?: ReadonlyArray<readonly number[]>
  readonly steps?: number
  readonly parts?: readonly string[]
  readonly h_0?: ReadonlyArray<readonly number[]>
  readonly h_in?: ReadonlyArray<readonly number[]>
  readonly c_in?: ReadonlyArray<readonly number[]>
  readonly context?: Readonly<Record<string, unknown>>
}

export function rowOf (request: OneRow): Row {
  const { x: [x] = [], ids: [ids] = [], steps, parts, h_0: [h0] = [], h_in: [hIn] = [], c_in: [cIn] = [], context } = request
  const asked = parts === undefined ? {} : { parts }
  const inputs: FrameStep[] = x?.map((vector) => ({ x: vector, ...asked })) ?? ids?.map((id) => ({ ids: id, ...asked })) ?? [asked]
  return {
    start: { h_0: h0, h_in: hIn, c_in: cIn, context },
    // One vector is fed as often as the request says.
    steps: steps === undefined ? inputs : Array.from({ length: steps }, () => inputs[0])
  }
}
