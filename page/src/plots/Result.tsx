import { signal, useSignal, type Signal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import { Export } from '../export/Export.tsx'
import { toPng } from '../export/png.ts'
import type { Run } from '../run/run.ts'
import { difference } from '../series/difference.ts'
import { count, createDistribution } from '../series/distribution.ts'
import { groupsOf, range as numbers } from '../series/groups.ts'
import { MOST_SIMILAR, ORDERS, type Order } from '../series/order.ts'
import { labelOf, type Series } from '../series/series.ts'
import { Bars } from './Bars.tsx'
import type { Theme } from './colours.ts'
import { HeatMap } from './HeatMap.tsx'
import type { View } from './heat-map.ts'
import { Lines } from './Lines.tsx'
import { strokeOf } from './lines.ts'
import { scaleOf, type Range } from './scale.ts'
import { Select } from './Select.tsx'
import { whole } from './span.ts'
import { Tabs } from './Tabs.tsx'
import { useOrder } from './use-order.ts'
import { Values } from './Values.tsx'

export interface ResultProps {
  readonly run: Run
  readonly theme: Theme
  /** Runs to compare this one with, in order of time. */
  readonly earlier?: readonly Run[]
  /** Whether the service requires a key. */
  readonly withKey?: boolean
}

const ALL = 'all'
const NONE = 'nothing'
/** Up to this many units are all followed from the start. */
const FEW = 8
const MOST_FOLLOWED = 24

/** The user's choices, which stay the same across tabs and across a model's runs. */
interface Choices {
  readonly order: Signal<Order>
  readonly range: Signal<Range>
  readonly other: Signal<Run | undefined>
  /** The units that are followed, by series. */
  readonly followed: Map<string, Signal<readonly number[]>>
}

/** A run's answer: a tab for each series, and exports of the request and the answer. */
export function Result (props: ResultProps) {
  return <Answer key={props.run.model} {...props} />
}

function Answer ({ run, theme, earlier = [], withKey = false }: ResultProps) {
  const tab = useSignal('output')
  const choices = useMemo<Choices>(() => ({ order: signal('as they are'), range: signal('robust'), other: signal(undefined), followed: new Map() }), [])
  const names = [...run.series.keys()]
  const chosen = run.series.get(tab.value) ?? run.series.get(names[0])
  if (chosen === undefined) return run.state === 'running' ? <p role='status'>Waiting for the first step …</p> : <></>
  return (
    <div class='result'>
      <Tabs label='Series' names={names} chosen={chosen.name} onChoose={(name) => { tab.value = name }}>
        <Plots key={chosen.name} run={run} series={chosen} theme={theme} earlier={earlier} withKey={withKey} choices={choices} />
      </Tabs>
    </div>
  )
}

/** One series: its controls, its map and the followed units. */
function Plots ({ run, series: own, theme, earlier, withKey, choices: { order, range, other, followed: all } }: Required<ResultProps> & { readonly series: Series, readonly choices: Choices }) {
  const groups = useMemo(() => groupsOf(own), [own])
  const group = useSignal(own.name === 'gates' ? groups[0]?.name ?? ALL : ALL)
  const followed = all.get(own.name) ?? signal<readonly number[]>(own.size <= FEW ? [...numbers(0, own.size)] : [])
  all.set(own.name, followed)
  const view = useSignal<View | undefined>(undefined)
  const step = useSignal<number | undefined>(undefined)
  const left = useSignal(0)
  const tabled = useSignal(false)

  const ended = run.state !== 'running'
  const against = other.value !== undefined && earlier.includes(other.value) ? other.value : undefined
  const compared = useMemo(() => {
    if (against === undefined) return { series: own, note: undefined }
    return ended ? difference(own, against.series.get(own.name)) : { note: 'The difference is shown when the run has ended.' }
  }, [own, against, ended])
  const series = compared.series ?? own
  const units = useMemo(() => groups.find(({ name }) => name === group.value)?.units ?? numbers(0, own.size), [groups, group.value])
  const { rows, busy } = useOrder(series, units, order.value, ended)
  // With a new run or other units, the old view no longer applies.
  useEffect(() => { view.value = undefined }, [own, units])

  const lines = followed.value.filter((unit) => unit < series.size)
  const toggle = (unit: number): void => {
    followed.value = lines.includes(unit) ? lines.filter((each) => each !== unit) : [...lines, unit].slice(-MOST_FOLLOWED)
  }
  const title = `${run.model}, run ${run.id}: ${series.name}${against === undefined ? '' : `, minus run ${against.id}`}`
  const picture = (): Promise<Blob> => {
    const distribution = createDistribution()
    count(distribution, series, rows)
    const shown = view.value ?? { time: whole(series.steps), units: whole(rows.length) }
    return toPng({ series, rows, scale: scaleOf(distribution, range.value), view: shown }, title, theme)
  }
  const orders = ORDERS.filter((each) => each !== 'by similarity' || units.length <= MOST_SIMILAR)
  const runs = earlier.filter((each) => each !== run)

  return (
    <>
      <div class='controls'>
        {groups.length > 1 && <Select label='Units' values={[ALL, ...groups.map(({ name }) => name)]} value={group.value} onChoose={(name) => { group.value = name }} />}
        <Select label='Order' values={orders} value={order.value} onChoose={(value) => { order.value = value }} />
        <Select label='Colours for' values={['robust', 'full'] as const} value={range.value} nameOf={(value) => value === 'robust' ? 'the middle 98 %' : 'all values'} onChoose={(value) => { range.value = value }} />
        {runs.length > 0 && <Select label='Minus' values={[undefined, ...runs]} value={against} nameOf={(each) => each === undefined ? NONE : `run ${each.id}, ${each.series.get(own.name)?.steps ?? 0} steps`} onChoose={(each) => { other.value = each }} />}
        {busy && <span role='status'>Sorting the units …</span>}
      </div>
      {compared.note !== undefined && <p class='note' role='status'>{compared.note}</p>}
      {compared.series !== undefined && (
        <>
          <HeatMap series={series} rows={rows} range={range.value} theme={theme} view={view} followed={lines} left={left} onUnit={toggle} onHover={(place) => { step.value = place?.step ?? step.value }} />
          {lines.length > 0 && <Lines series={series} units={lines} theme={theme} view={view} step={step} left={left} />}
          {lines.length > 0 && (
            <ul class='followed' aria-label='Followed units'>
              {lines.map((unit, i) => (
                <li key={unit}>
                  <svg width='24' height='8' aria-hidden='true'><line x1='0' y1='4' x2='24' y2='4' stroke={strokeOf(i).colour} stroke-width='2' stroke-dasharray={strokeOf(i).dash.join(' ')} /></svg>
                  {labelOf(series, unit)}
                  <button type='button' aria-label={`Unfollow ${labelOf(series, unit)}`} onClick={() => { toggle(unit) }}>×</button>
                </li>
              ))}
            </ul>
          )}
          {series.name === 'y' && <Bars series={series} units={rows} theme={theme} step={step} />}
          <details onToggle={(event) => { tabled.value = event.currentTarget.open }}>
            <summary>The values as a table</summary>
            {tabled.value && <Values series={series} rows={rows} />}
          </details>
        </>
      )}
      <Export run={run} withKey={withKey} picture={picture} />
    </>
  )
}
