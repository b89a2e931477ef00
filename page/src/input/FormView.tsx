import { useId } from 'preact/hooks'
import { isExtra } from './fields.ts'
import { FieldView } from './FieldView.tsx'
import type { Form } from './form.ts'

/** The request, field by field. */
export function FormView ({ form }: { readonly form: Form }) {
  const id = useId()
  const fields = form.fields.filter(({ spec }) => !isExtra(spec))
  const extras = form.fields.filter(({ spec }) => isExtra(spec))
  const used = extras.some(({ text, fault }) => text.value !== '' || fault.value !== undefined)
  return (
    <>
      {fields.map((field) => <FieldView key={field.spec.path.join()} field={field} />)}
      {form.parts.length > 0 && (
        <fieldset aria-describedby={`${id}parts`}>
          <legend>parts</legend>
          <p class='hint' id={`${id}parts`}>what to show in addition to the output</p>
          <div class='choices'>
            {form.parts.map(({ name, wanted }) => (
              <label key={name}>
                <input type='checkbox' checked={wanted} onChange={({ currentTarget }) => { wanted.value = currentTarget.checked }} />
                {name}
              </label>
            ))}
          </div>
        </fieldset>
      )}
      <details open={used}>
        <summary>Initial state and steps</summary>
        {extras.map((field) => <FieldView key={field.spec.path.join()} field={field} />)}
      </details>
    </>
  )
}
