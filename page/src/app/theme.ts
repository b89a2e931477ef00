import { computed, effect, signal } from '@preact/signals'

export type Choice = 'auto' | 'light' | 'dark'

const KEPT = 'cellserve-theme'
const dark = matchMedia('(prefers-color-scheme: dark)')
const systemIsDark = signal(dark.matches)
dark.addEventListener('change', ({ matches }) => { systemIsDark.value = matches })

/** The user's choice; `auto` follows the system. */
export const choice = signal<Choice>(kept())

/** The theme in use. */
export const theme = computed(() => choice.value === 'auto' ? systemIsDark.value ? 'dark' : 'light' : choice.value)

effect(() => {
  document.documentElement.dataset.theme = theme.value
})

export function chooseTheme (next: Choice): void {
  choice.value = next
  try {
    localStorage.setItem(KEPT, next)
  } catch {
    // Without storage, the choice lasts until the page is left.
  }
}

function kept (): Choice {
  try {
    const value = localStorage.getItem(KEPT)
    return value === 'light' || value === 'dark' ? value : 'auto'
  } catch {
    return 'auto'
  }
}
