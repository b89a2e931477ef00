/**
 * The builder of schemas. It is a package of 370 files, which take longer to load than all else of the service, so the build makes one
 * file of this one and of them.
 */
export { default } from 'typebox'
export type { Static, TObject, TProperties, TSchema, TSchemaOptions, TUnsafe } from 'typebox'
