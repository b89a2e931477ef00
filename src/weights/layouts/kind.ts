import { GATES, type CellKind } from '../../network/cell.ts'

const KINDS: readonly CellKind[] = ['lstm', 'gru', 'rnn']

/** The kind of a cell that reads as much as it writes: `W_hh` has as many rows per column as the cell has gates. */
export function kindOfShape (rows: number, columns: number): CellKind | undefined {
  return KINDS.find((kind) => rows === GATES[kind] * columns)
}
