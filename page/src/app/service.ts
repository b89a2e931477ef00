import { computed, signal } from '@preact/signals'
import { Client } from '../../../clients/typescript/src/client.ts'

/** The address of the service that serves this page; a proxy can put it under a path. */
export const address = new URL('.', document.baseURI).href

/** The API key, kept only in memory: the next visit asks again. */
export const apiKey = signal('')

/** No retries: failures are shown at once, and the user decides when to try again. */
export const client = computed(() => new Client(address, { format: 'json', retries: 0, apiKey: apiKey.value === '' ? undefined : apiKey.value }))
