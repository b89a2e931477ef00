export interface SelectProps<T> {
  readonly label: string
  readonly values: readonly T[]
  readonly value: T
  readonly nameOf?: (value: T) => string
  readonly onChoose: (value: T) => void
}

/** One of several values. */
export function Select<T> ({ label, values, value, nameOf = String, onChoose }: SelectProps<T>) {
  return (
    <label class='select'>
      {label}{' '}
      <select value={values.indexOf(value)} onChange={(event) => { onChoose(values[event.currentTarget.selectedIndex]) }}>
        {values.map((each, i) => <option key={i} value={i} selected={each === value}>{nameOf(each)}</option>)}
      </select>
    </label>
  )
}
