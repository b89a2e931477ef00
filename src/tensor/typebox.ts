/**
 * The schema builder. It is a package of 370 files, which take longer to load than the rest of the service, so the build bundles
 * them and this file into one.
 */
export { default } from 'typebox'
export type { Static, TObject, TProperties, TSchema, TSchemaOptions, TUnsafe } from 'typebox'
