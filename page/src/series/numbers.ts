/** The shortest decimal that reads back as the same float32, like the service's own output. */
export function shortest (value: number): string {
  if (!Number.isFinite(value) || (Number.isInteger(value) && Math.abs(value) < 1e6)) return String(value)
  let text = value.toPrecision(9)
  for (let digits = 8; digits > 0; digits--) {
    const shorter = value.toPrecision(digits)
    if (Math.fround(Number(shorter)) !== value) break
    text = shorter
  }
  return String(Number(text))
}
