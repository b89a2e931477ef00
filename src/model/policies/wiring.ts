import Type from '../../tensor/typebox.ts'
import { lateness } from '../../engine/program.ts'
import { pointerPart, unprocessable } from '../../errors.ts'
import { part, partsOf, type Feed, type Read } from '../../network/feed.ts'
import { directionsOf, sizesOf, type Layers } from '../../network/layers.ts'
import { isFedBack, letsOfY, PLAIN, type Wiring } from '../../network/network.ts'
import { contextOf } from './contexts.ts'
import { readFeed, type Scope } from './grammar.ts'
import { optionsOf } from './options.ts'
import type { Policy, PolicyKind, PolicySetting } from './policy.ts'
import { readRead } from './read.ts'
import { H_LAST, NO_H_LAST, plainReadout } from './readout.ts'
import { findWidths, ownWidths, type Demand } from './widths.ts'

/** The options of every wiring, under any policy name. */
export const WIRING = {
  initial: Type.Optional(Type.Enum(['read', 'x', 'no-read'])),
  residual: Type.Optional(Type.Boolean()),
  read: Type.Optional(Type.Unknown())
}

const Width = Type.Optional(Type.Integer({ minimum: 1 }))

const readOptions = optionsOf('wiring', {
  ...WIRING,
  let: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  x: Type.Optional(Type.Unknown()),
  h_in: Type.Optional(Type.Unknown()),
  widths: Type.Optional(Type.Object({ x: Width, vectors: Width, support: Width }, { additionalProperties: false }))
})

export type WiringOptions = Omit<ReturnType<typeof readOptions>, 'policy'>

/** Any wiring, as `config.json` writes it. */
export const wiring: PolicyKind = {
  name: 'wiring',
  summary: 'x and h_in are what config.json makes them of: of x, h, c, the request\'s vectors, an attention read, linear layers.',
  create: (options, model) => createWiring(readOptions(options), model, '/feedback/h_in')
}

/**
 * Makes the policy of a wiring.
 *
 * @param hPath where in the config its h_in stands.
 * @throws InputError that says what is wrong, and where.
 */
export function createWiring (options: WiringOptions, setting: PolicySetting, hPath: string): Policy {
  const { layers, tensor, readout, input } = setting
  const { residual = false, initial = residual ? 'x' : 'read', read: readFrom, let: letsFrom = {}, widths = {} } = options
  const { I, Hi } = sizesOf(layers)
  const stack = layers.nodes.length > 1
  if (directionsOf(layers) === 2) return unwired(options, setting)

  const demands: Demand[] = Object.entries(widths).map(([name, width]) => ({ path: `/feedback/widths/${name}`, feeds: [part(name)], width, by: `widths says ${width}` }))
  const own = ownWidths(layers)
  const parts = new Map<string, number | Feed>(own)
  const scope: Scope = { tensor, demands, refuse: (name) => parts.has(name) || REQUESTED.has(name) ? undefined : whyNot(name, parts, letsFrom, layers) }

  const read = readFrom === undefined ? undefined : readRead(readFrom, '/feedback/read', own, scope)
  if (read !== undefined) parts.set('read', readPart(read))

  if (readout !== undefined) parts.set('y', readout.width)

  const lets = Object.entries(letsFrom).map(([name, value]) => {
    const path = `/feedback/let/${pointerPart(name)}`
    if (!NAME.test(name)) throw unprocessable(path, 'expected a name of letters, digits and _, a letter first')
    if (RESERVED.test(name)) throw unprocessable(path, `the name ${name} has a meaning of its own: choose another one`)
    const feed = readFeed(value, path, scope)
    parts.set(name, feed)
    return { name, feed }
  })

  if (I === 0 && options.x !== undefined) throw unprocessable('/feedback/x', 'the cell reads no x: its file has no W_ih')
  const x = readFeed(options.x === undefined ? 'x' : options.x, '/feedback/x', scope)
  if (I > 0) demands.push({ path: '/feedback/x', feeds: [x], width: I, by: `x has I = ${I}` })

  if (stack && options.h_in !== undefined) throw unprocessable(hPath, 'each layer of a stack reads its own h: leave out h_in')
  const h = stack ? part('h') : readFeed(options.h_in === undefined ? 'h' : options.h_in, hPath, scope)
  if (!stack) demands.push({ path: hPath, feeds: [h], width: Hi, by: `h_in has Hi = ${Hi}` })

  const y = readout?.feed({
    ...scope,
    refuse: (name) => name === 'y' || letsOfY(lets).has(name) ? `y cannot be computed from ${name === 'y' ? 'itself' : `${name}, which depends on y`}` : scope.refuse(name)
  })

  for (const [path, wanted, by] of [['/feedback/residual', residual, 'residual adds x to h'], ['/feedback/initial', initial === 'x', 'h begins as x']] as const) {
    if (wanted) demands.push({ path, feeds: [part('h'), part('x')], by })
  }

  const used = new Set([...(I > 0 ? [x] : []), h, ...lets.map(({ feed }) => feed), ...(y === undefined ? [] : [y])].flatMap((feed) => [...partsOf(feed)]))
  if (residual || initial === 'x') used.add('x')
  if (read !== undefined) used.add('support')
  if (input !== undefined) {
    if (!used.has('x')) throw unprocessable('/input', 'makes an x, and this wiring leaves x out')
    demands.push({ path: '/input', feeds: [part('x')], width: input.width, by: input.makes })
  }
  const idle = Object.keys(widths).find((name) => !used.has(name))
  if (idle !== undefined) throw unprocessable(`/feedback/widths/${idle}`, `${idle} is not a part of this wiring`)
  const widthOf = findWidths(demands, parts, [...REQUESTED, 'support'].filter((name) => used.has(name)))
  const optional = (name: string): number | undefined => used.has(name) ? widthOf(name) : undefined

  const support = optional('support')
  const made: Wiring = {
    ...PLAIN,
    x,
    h: h.kind === 'part' && h.name === 'h' ? 'own' : h,
    residual,
    ...(read !== undefined && support !== undefined && { read: { ...read, support } }),
    lets,
    readout: y
  }
  checkFedBack(made)
  const vectors = optional('vectors')
  return { wiring: made, initial, x: optional('x') ?? 0, vectors, context: contextOf({ vectors: vectors !== undefined, support: support !== undefined }) }
}

/** The parts that come from the request. */
const REQUESTED: ReadonlySet<string> = new Set(['x', 'vectors'])

const NAME = /^[A-Za-z]\w*$/
/** Parts, fields of an answer, and slices of a state. */
const RESERVED = /^(?:x|h|h_last|c|read|vectors|support|y|attention|gates|output|h_in|given|host|[hc]\d+)$/

/** @throws InputError if a y that feeds the first step is made from input that comes with a step. */
function checkFedBack (wiring: Wiring): void {
  const { readout } = wiring
  const isLate = lateness({ inputs: [...REQUESTED].map((name) => ({ name, width: 0 })), wiring })
  if (readout === undefined || !isFedBack(wiring) || !isLate(readout)) return
  const name = [...partsOf(readout)].find((one) => isLate(part(one))) ?? 'x'
  throw unprocessable('/readout', `is computed from ${name}, which comes with a step; but y is fed back, so it is also computed before the first step`)
}

/** Each of two directions reads its own h and nothing else. */
function unwired (options: WiringOptions, { layers, tensor, readout }: PolicySetting): Policy {
  const [name] = Object.keys(options).filter((key) => key !== 'policy')
  if (name !== undefined) throw unprocessable(`/feedback/${name}`, 'is for networks of one direction, and this one has two')
  const y = readout && plainReadout(readout, layers, tensor)
  return { wiring: { ...PLAIN, readout: y }, initial: 'read', x: sizesOf(layers).I, context: contextOf({}) }
}

function whyNot (name: string, parts: ReadonlyMap<string, unknown>, lets: object, { kind }: Layers): string {
  if (name === 'read') return 'there is no read: define one in /feedback/read'
  if (name === 'y') return 'there is no y: the model has no readout'
  if (name === H_LAST) return NO_H_LAST
  if (name === 'c') return `there is no c: the cell is of kind ${kind}`
  if (Object.hasOwn(lets, name)) return `${name} is not defined yet: a let can use only the lets before it, so that there is no loop`
  return `there is no part ${name}; there are ${[...new Set([...REQUESTED, ...parts.keys()])].join(', ')}`
}

/** A read is as wide as its values. */
function readPart ({ key, value }: Omit<Read, 'support'>): number | Feed {
  const layer = value === 'key' ? key : value
  return layer?.out ?? part('support')
}
