import type { FrameStep, RowStart } from '../../../clients/typescript/src/client.ts'

/** A one-row request in the form that stepping needs: its start, and its steps. */
export interface Row {
  readonly start: RowStart
  readonly steps: readonly FrameStep[]
}

/** The request that a form builds; every tensor is `[1]...`. */
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
    // A single input is fed as many times as the request says.
    steps: steps === undefined ? inputs : Array.from({ length: steps }, () => inputs[0])
  }
}
