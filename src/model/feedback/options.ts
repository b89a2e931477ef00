import Type, { type Static, type TProperties } from 'typebox'
import { compile } from '../../schema.ts'

/** The context of the policies that need none. */
export const NoContext = Type.Object({}, { additionalProperties: false, description: 'This policy needs no context.' })

/** Checks the options of a policy in `config.json`; what stands beside them there is refused. */
export function optionsOf<P extends TProperties> (name: string, properties: P): (options: unknown) => Static<ReturnType<typeof schemaOf<P>>> {
  const check = compile(schemaOf(name, properties))
  return (options) => check(options, '/feedback')
}

function schemaOf<P extends TProperties> (name: string, properties: P) {
  return Type.Object({ ...properties, policy: Type.Literal(name) }, { additionalProperties: false })
}
