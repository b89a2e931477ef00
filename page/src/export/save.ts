/** Has the browser save a file. */
export function save (name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  // Some browsers read the URL only after the click has returned.
  setTimeout(() => { URL.revokeObjectURL(link.href) }, 60_000)
}
