import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileStage, type Operand, type Program } from '../../src/engine/program.ts'
import { concat, part, type Feed } from '../../src/network/feed.ts'
import { bareCell, PLAIN, type Stage, type Wiring } from '../../src/network/network.ts'
import { scaled } from '../support/full.ts'
import { drawCell, drawLinear, drawNetwork } from '../support/networks.ts'
import { createRandom } from '../support/random.ts'

const random = createRandom(3)

function stage (wiring: Partial<Wiring>, { I = 3, Hi = 4, Ho = 4 } = {}): Stage {
  return {
    ...bareCell(drawCell({ I, Hi, Ho }, random)).stages[0],
    inputs: [{ name: 'x', width: 3 }, { name: 'vectors', width: 2 }],
    wiring: { ...PLAIN, ...wiring }
  }
}

const names = ({ state }: Program): string[] => state.slices.map(({ name, width }) => `${name} ${width}`)
const ops = ({ instructions }: Program): string[] => instructions.map(({ op }) => op)

/** What is written whether anybody asks for it or not. */
const always = ({ instructions, outputs }: Program): string[] => instructions
  .filter(({ out }) => out.space !== 'output' || !outputs[out.index].asked).map(({ op }) => op)

test('a bare cell is one instruction, and keeps h and c', () => {
  const program = compileStage(stage({}))
  assert.deepEqual(names(program), ['h0 4', 'c0 4'])
  assert.deepEqual(always(program), ['cell', 'copy'])
  assert.equal(program.late, false)
  assert.equal(program.work, 4 * 4 * (3 + 4))
})

test('a feed of h is made after the step, one of the step\'s inputs before it', () => {
  const early = compileStage(stage({ h: concat(part('h'), part('h')) }, { Hi: 8 }))
  assert.deepEqual([early.begin, early.feed, early.late], [0, 4, false])
  const late = compileStage(stage({ h: concat(part('h'), part('vectors')) }, { Hi: 6 }))
  assert.deepEqual(names(late), ['h0 4', 'c0 4', 'h_in 6', 'given 1'])
  assert.deepEqual(ops(late).slice(0, late.begin), ['copy', 'copy', 'choose', 'clear'])
  assert.equal(late.feed, late.instructions.length)
})

test('a let that takes x has no place in the state, the others have', () => {
  const lets = [{ name: 'late', feed: concat(part('x'), part('h')) }, { name: 'early', feed: part('h') }, { name: 'later', feed: part('late') }]
  const program = compileStage(stage({ lets, x: part('late') }, { I: 7 }))
  assert.deepEqual(names(program), ['h0 4', 'c0 4', 'early 4'])
  assert.deepEqual(program.outputs.map(({ name, next }) => [name, next]), [['output', false], ['late', false], ['early', true], ['later', false], ['h', false], ['c', false], ['gates', false]])
})

const readout = (of: Feed, from = 4): Feed => ({ kind: 'linear', linear: drawLinear(from, 5, random, 'log_softmax'), of })

test('a readout that nothing is fed from has no place in the state, and is no part of a start', () => {
  const program = compileStage(stage({ h: concat(part('h'), part('h')), readout: readout(concat(part('h'), part('x')), 7) }, { Hi: 8 }))
  assert.deepEqual(names(program), ['h0 4', 'c0 4', 'h_in 8'])
  assert.deepEqual(program.outputs.map(({ name, width, asked }) => [name, width, asked]), [['output', 4, false], ['y', 5, true], ['h', 4, true], ['c', 4, true], ['gates', 16, true]])
  assert.deepEqual(ops(program).slice(program.end), ['copy', 'copy', 'linear', 'log_softmax'])
  assert.equal(program.work, 4 * 4 * (3 + 8) + 7 * 5)
})

test('one that is fed back is made after the lets that it is made of, and before those that are made of it', () => {
  const lets = [{ name: 'of_y', feed: part('y') }, { name: 'early', feed: part('h') }, { name: 'late', feed: concat(part('of_y'), part('x')) }]
  const program = compileStage(stage({ lets, x: concat(part('late'), part('y')), readout: readout(part('early')) }, { I: 13 }))
  assert.deepEqual(names(program), ['h0 4', 'c0 4', 'of_y 5', 'early 4', 'y 5'])
  assert.deepEqual(ops(program).slice(program.read), ['copy', 'copy', 'linear', 'log_softmax', 'copy', 'copy', 'copy'])
  assert.deepEqual([program.y - program.read, program.lets - program.y, program.feed - program.lets], [2, 3, 2])
  assert.equal(program.end, program.instructions.length)
})

test('a stack whose readout is of h alone goes layer by layer, then over the readout', () => {
  const cells = [drawCell({ I: 3, Hi: 4, Ho: 4 }, random, { kind: 'gru' }), drawCell({ I: 4, Hi: 4, Ho: 4 }, random, { kind: 'gru' })]
  const stack = { ...stage({ readout: readout(part('h')) }), nodes: cells.map((cell) => ({ cell })) }
  assert.deepEqual(compileStage(stack).groups, [0, 3, 6])
  assert.deepEqual(compileStage({ ...stack, wiring: { ...PLAIN, readout: readout(concat(part('h'), part('x')), 7) } }).groups, [])
})

test('a layer in front makes x, for the cells and for whatever else is made of x', () => {
  const front = drawLinear(2, 4, random, 'softmax')
  const program = compileStage({ ...stage({ residual: true }, { I: 4 }), inputs: [{ name: 'x', width: 2 }], front })
  assert.deepEqual(always(program), ['linear', 'softmax', 'cell', 'sum', 'copy'])
  assert.equal(program.begin, 2)
  assert.equal(program.work, 2 * 4 + 4 * 4 * (4 + 4))
})

const MISFITS: ReadonlyArray<[what: string, wiring: Partial<Wiring>, message: RegExp]> = [
  ['an unknown part', { x: part('y') }, /there is no part y; the parts are x, vectors, h, c/],
  ['a readout of a part that is made of it', { lets: [{ name: 'a', feed: part('y') }], readout: readout(part('a')) }, /there is no part a/],
  ['a readout that is fed back and made of x', { x: part('y'), readout: readout(part('x'), 3) }, /y is fed back, so it is made before the first step too/],
  ['a later let', { lets: [{ name: 'a', feed: part('b') }, { name: 'b', feed: part('h') }] }, /there is no part b/],
  ['an x of another width', { x: concat(part('x'), part('h')) }, /x has 7 numbers, but I is 3/],
  ['an h_in of another width', { h: concat(part('h'), part('vectors')) }, /h_in has 6 numbers, but Hi is 4/],
  ['a sum of two widths', { lets: [{ name: 'a', feed: { kind: 'sum', of: [part('h'), part('x')] } }] }, /a sum of h, 4 numbers, and x, 3/],
  ['a linear layer of another width', { h: { kind: 'linear', linear: drawLinear(3, 4, random), of: part('h') } }, /a linear layer of 3 inputs is given h, which has 4 numbers/],
  ['a residual of another width', { residual: true }, /x, which residual adds to h has 3 numbers, but Ho is 4/],
  ['a query of another width', { read: { score: 'dot', scale: 1, query: part('h'), support: 5 } }, /the query has 4 numbers, but the width of a key is 5/]
]

for (const [what, wiring, message] of MISFITS) {
  test(`${what} is refused, with both numbers`, () => {
    assert.throws(() => compileStage(stage(wiring)), message)
  })
}

const WRITTEN = new Set(['out', 'carryOut', 'gates'])

test('no instruction of any program writes where it reads, or reads what nobody has written', () => {
  const overlap = (a: Operand, b: Operand): boolean => a.space === b.space && a.index === b.index &&
    a.offset < b.offset + b.width && b.offset < a.offset + a.width
  const draw = createRandom(11)
  for (let n = 0; n < scaled(500); n++) {
    for (const one of drawNetwork(draw).stages) {
      const program = compileStage(one)
      const written: Operand[] = []
      for (const instruction of program.instructions) {
        const operands = Object.entries(instruction).filter((entry): entry is [string, Operand] => typeof entry[1] === 'object' && 'space' in entry[1])
        const ins = operands.filter(([name]) => !WRITTEN.has(name)).map(([, operand]) => operand)
        const outs = operands.filter(([name]) => WRITTEN.has(name)).map(([, operand]) => operand)
        const inPlace = instruction.op === 'softmax' || instruction.op === 'log_softmax'
        for (const out of inPlace ? [] : outs) assert.ok(!ins.some((operand) => operand.width > 0 && overlap(operand, out)), instruction.op)
        for (const operand of ins) {
          if (operand.space === 'old' || operand.space === 'input' || operand.width === 0) continue
          for (let at = operand.offset; at < operand.offset + operand.width; at++) {
            assert.ok(written.some((out) => overlap(out, { ...operand, offset: at, width: 1 })), `${instruction.op} reads ${operand.space} ${at}`)
          }
        }
        written.push(...outs)
      }
      for (const slice of program.state.slices) {
        for (let at = slice.offset; at < slice.offset + slice.width; at++) {
          assert.ok(written.some((out) => overlap(out, { space: 'new', index: 0, offset: at, width: 1 })), `${slice.name} is not written`)
        }
      }
    }
  }
})

test('taps have a place for each node that has something to see, and are written only if asked for', () => {
  const cells = [
    drawCell({ I: 3, Hi: 4, Ho: 5 }, random),
    drawCell({ I: 4, Hi: 6, Ho: 6 }, random, { kind: 'rnn' }),
    drawCell({ I: 6, Hi: 7, Ho: 7 }, random, { kind: 'gru' }),
    drawCell({ I: 7, Hi: 2, Ho: 2 }, random)
  ]
  const nodes = cells.map((cell, n) => ({ cell, ...(n === 0 && { projection: drawLinear(5, 4, random) }) }))
  const { outputs, instructions } = compileStage({ ...stage({}), nodes })
  const taps = outputs.filter(({ asked }) => asked)
  assert.deepEqual(taps.map(({ name, width }) => [name, width]), [['h', 4 + 6 + 7 + 2], ['c', 5 + 2], ['gates', 4 * 5 + 3 * 7 + 4 * 2]])
  const at = ({ index, offset, width }: Operand): unknown[] => [outputs[index].name, offset, width]
  assert.deepEqual(instructions.flatMap((one) => one.op === 'cell' && one.gates.width > 0 ? [at(one.gates)] : []), [['gates', 0, 20], ['gates', 20, 21], ['gates', 41, 8]])
  const copies = instructions.flatMap((one) => one.op === 'copy' && one.out.space === 'output' ? [at(one.out)] : [])
  assert.deepEqual(copies.filter(([name]) => name === 'h'), [['h', 0, 4], ['h', 4, 6], ['h', 10, 7], ['h', 17, 2]])
  assert.deepEqual(copies.filter(([name]) => name === 'c'), [['c', 0, 5], ['c', 5, 2]])
})

test('a feed of one part is the part', () => {
  const feed: Feed = concat(part('h'))
  assert.deepEqual(feed, part('h'))
})
