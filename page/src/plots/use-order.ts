import { useSignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { ordered, type Order } from '../series/order.ts'
import type { Series } from '../series/series.ts'
import { inSlices } from '../series/slices.ts'

/**
 * Sorts the units in the background; until that is done, returns them unsorted.
 *
 * @param ended whether the series has all its steps; when that changes, the order is computed again.
 */
export function useOrder (series: Series, units: Uint32Array, order: Order, ended: boolean): { readonly rows: Uint32Array, readonly busy: boolean } {
  const found = useSignal<{ of: Uint32Array, order: Order, rows: Uint32Array } | undefined>(undefined)
  const busy = useSignal(false)
  useEffect(() => {
    if (order === 'as they are') return
    const controller = new AbortController()
    busy.value = true
    inSlices(ordered(series, units, order), controller.signal).then((rows) => {
      found.value = { of: units, order, rows }
      busy.value = false
    }, (error: unknown) => {
      if (!controller.signal.aborted) throw error
    })
    return () => {
      controller.abort()
      busy.value = false
    }
  }, [series, units, order, ended])
  const fits = order !== 'as they are' && found.value?.of === units && found.value.order === order
  return { rows: fits && found.value !== undefined ? found.value.rows : units, busy: busy.value }
}
