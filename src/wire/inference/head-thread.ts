import { findAddon } from '../../engine/addon.ts'
import { answerBodies } from '../body-thread.ts'
import { createJson } from '../json.ts'
import { createLayoutReader, type InputFields, type Layout } from './layout.ts'

/* The thread that reads large heads of inference requests, as `json-thread.ts` reads JSON bodies. */

export interface HeadAsked extends InputFields {
  /** How many bytes of the body are JSON. */
  readonly length: number
}

const json = createJson(findAddon())

answerBodies<HeadAsked, Layout>((body, { length, ...fields }, hold) => createLayoutReader(fields, json)(body.subarray(0, length), hold))
