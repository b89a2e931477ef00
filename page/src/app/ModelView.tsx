import { LiveCounts } from './Counts.tsx'
import { factsOf } from './facts.ts'
import type { Model } from './model.ts'
import { Wiring } from './Wiring.tsx'

/** A model's description. */
export function ModelView ({ model }: { readonly model: Model }) {
  return (
    <section class='model' aria-labelledby='model'>
      <h2 id='model'>{model.name}</h2>
      {model.error !== undefined && <p class='fault'>The newest files are not served: {model.error}</p>}
      <Wiring model={model} />
      <dl>
        {factsOf(model).map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
        <LiveCounts model={model.name} />
      </dl>
    </section>
  )
}
