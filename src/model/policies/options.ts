import Type, { type Static, type TProperties } from '../../tensor/typebox.ts'
import { compile } from '../../tensor/schema.ts'

/** Checks the options of a policy in `config.json`; unknown options are refused. */
export function optionsOf<P extends TProperties> (name: string, properties: P): (options: unknown) => Static<ReturnType<typeof schemaOf<P>>> {
  const check = compile(schemaOf(name, properties))
  return (options) => check(options, '/feedback')
}

function schemaOf<P extends TProperties> (name: string, properties: P) {
  return Type.Object({ ...properties, policy: Type.Literal(name) }, { additionalProperties: false })
}
