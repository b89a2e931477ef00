import { namesIn, textOf, widthOfRead, wiringOf, type Model } from './model.ts'

/** A box in a model's diagram. */
export interface Box {
  readonly id: string
  readonly title: string
  /** The text below the title. */
  readonly lines: readonly string[]
  readonly column: number
}

/** An arrow from one box to another; `next` means that its value is read at the next step. */
export interface Arrow {
  readonly from: string
  readonly to: string
  readonly next: boolean
}

export interface Diagram {
  readonly boxes: readonly Box[]
  readonly arrows: readonly Arrow[]
}

/** A model as boxes and arrows: inputs, reads and lets, cells, outputs. */
export function diagramOf (model: Model): Diagram {
  const { sizes: { Ho }, widths, layers, directions, cell, input, readout } = model
  const wiring = wiringOf(model)
  const names = wiring === undefined ? [] : [...namesIn(wiring.x), ...namesIn(wiring.h), ...Object.values(wiring.lets).flatMap(namesIn)]
  const takesX = (wiring === undefined || names.includes('x') || wiring.residual) && (widths.sequence_x > 0 || input !== undefined)
  const byModule = wiring?.h === 'module'
  const boxes: Box[] = []
  const arrows: Arrow[] = []
  const link = (from: string, to: string, next = false): void => {
    if (!arrows.some((arrow) => arrow.from === from && arrow.to === to)) arrows.push({ from, to, next })
  }
  /** Draws an arrow from each name in a feed; h, c and y come from the previous step's answer. */
  const linkNames = (feed: Parameters<typeof namesIn>[0], to: string): void => {
    for (const name of namesIn(feed)) link(name === 'c' ? 'h' : name, to, ['h', 'c', 'y'].includes(name))
  }

  if (takesX) boxes.push({ id: 'x', title: input?.embedding === undefined ? 'x' : 'ids', lines: [input?.embedding === undefined ? count(widths.sequence_x) : `embedded, ${count(input.width)}`], column: 0 })
  if (names.includes('vectors')) boxes.push({ id: 'vectors', title: 'vectors', lines: ['from the request'], column: 0 })
  if (wiring?.read !== undefined) {
    const { read } = wiring
    boxes.push({ id: 'support', title: 'support', lines: [`N × ${read.support}`], column: 0 })
    boxes.push({ id: 'read', title: 'read', lines: [`${read.score.replace('_', ' ')} attention`, count(widthOfRead(read))], column: 1 })
    link('support', 'read')
    linkNames(read.query, 'read')
  }
  for (const [name, feed] of Object.entries(wiring?.lets ?? {})) {
    boxes.push({ id: name, title: name, lines: [textOf(feed)], column: 1 })
    linkNames(feed, name)
  }

  const kind = cell.kind.toUpperCase()
  boxes.push({
    id: 'cells',
    title: `${layers > 1 ? `${layers} layers of ` : ''}${kind}`,
    lines: [
      ...(directions > 1 ? ['in both directions'] : []),
      ...(wiring !== undefined && textOf(wiring.x) !== 'x' ? [`x = ${textOf(wiring.x)}`] : []),
      wiring === undefined ? 'h_in: from the request' : byModule ? 'h_in: feedback.mjs' : `h_in = ${textOf(wiring.h)}`
    ],
    column: 2
  })
  if (wiring === undefined) {
    if (takesX) link('x', 'cells')
  } else {
    linkNames(wiring.x, 'cells')
    linkNames(byModule ? 'h' : wiring.h, 'cells')
  }

  boxes.push({ id: 'h', title: 'h', lines: [...(wiring?.residual === true ? ['output + x'] : []), directions > 1 ? `${directions} × ${Ho}` : count(widths.output)], column: 3 })
  link('cells', 'h')
  if (wiring?.residual === true) link('x', 'h')
  if (readout !== undefined) {
    boxes.push({ id: 'y', title: 'y', lines: [`readout, ${readout.K}`], column: 4 })
    link('h', 'y')
  }
  const known = new Set(boxes.map(({ id }) => id))
  return { boxes, arrows: arrows.filter(({ from, to }) => known.has(from) && known.has(to)) }
}

/** The diagram in words, for screen readers. */
export function sentencesOf ({ boxes, arrows }: Diagram): string {
  const titles = new Map(boxes.map(({ id, title }) => [id, title]))
  const told = arrows.map(({ from, to, next }) => `${titles.get(from)} feeds ${titles.get(to)}${next ? ' in the next step' : ''}`)
  return `${boxes.map(({ title, lines }) => `${title} (${lines.join(', ')})`).join('; ')}. ${told.join('; ')}.`
}

function count (numbers: number): string {
  return numbers === 1 ? '1 number' : `${numbers} numbers`
}
