import { computed, signal } from '@preact/signals'
import { Client } from '../../../clients/typescript/src/client.ts'

/** The service that this page is of; a proxy may have it under a path. */
export const address = new URL('.', document.baseURI).href

/** The API key, in memory alone: another visit asks for it again. */
export const apiKey = signal('')

/** What cannot be had now is told at once, and the user decides when to try again. */
export const client = computed(() => new Client(address, { format: 'json', retries: 0, apiKey: apiKey.value === '' ? undefined : apiKey.value }))
