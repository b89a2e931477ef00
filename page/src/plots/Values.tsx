import { useSignal } from '@preact/signals'
import { shortest } from '../series/numbers.ts'
import { labelOf, type Series } from '../series/series.ts'

const STEPS = 20
const UNITS = 12

/** The map's values as a table, one page at a time. */
export function Values ({ series, rows }: { readonly series: Series, readonly rows: Uint32Array }) {
  const first = useSignal({ step: 0, row: 0 })
  const steps = series.length.value
  const at = { step: Math.min(first.value.step, lastPage(steps, STEPS)), row: Math.min(first.value.row, lastPage(rows.length, UNITS)) }
  const end = { step: Math.min(steps, at.step + STEPS), row: Math.min(rows.length, at.row + UNITS) }
  const units = Array.from(rows.subarray(at.row, end.row))
  const turn = (text: string, to: { step: number, row: number }, possible: boolean) =>
    <button type='button' disabled={!possible} onClick={() => { first.value = to }}>{text}</button>
  return (
    <div class='values'>
      <div class='choices'>
        {turn('Earlier steps', { ...at, step: at.step - STEPS }, at.step > 0)}
        {turn('Later steps', { ...at, step: at.step + STEPS }, end.step < steps)}
        {turn('Previous units', { ...at, row: at.row - UNITS }, at.row > 0)}
        {turn('Next units', { ...at, row: at.row + UNITS }, end.row < rows.length)}
      </div>
      <div class='wide' tabIndex={0} role='region' aria-label={`Values of ${series.name}`}>
        <table>
          <caption>{series.name}: steps {at.step} to {end.step - 1} of {steps}, {units.length} of {rows.length} units</caption>
          <thead>
            <tr><th scope='col'>step</th>{units.map((unit) => <th key={unit} scope='col'>{labelOf(series, unit)}</th>)}</tr>
          </thead>
          <tbody>
            {Array.from({ length: end.step - at.step }, (_, i) => at.step + i).map((step) => (
              <tr key={step}><th scope='row'>{step}</th>{units.map((unit) => <td key={unit}>{shortest(series.values[step * series.size + unit])}</td>)}</tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  )
}

function lastPage (count: number, page: number): number {
  return Math.max(0, Math.ceil(count / page) - 1) * page
}
