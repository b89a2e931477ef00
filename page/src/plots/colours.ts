import type { Scale } from './scale.ts'

export type Theme = 'light' | 'dark'

/** A colour in OKLab's polar form: lightness and chroma from 0 to 1, hue in degrees. */
export type Colour = readonly [lightness: number, chroma: number, hue: number]

/** How many colours a map has: an odd number, so that zero is the one in the middle. */
export const SHADES = 255

/**
 * Both ends of a diverging map differ equally in lightness from the page. Their hues are blue and orange, which no common form of
 * colour blindness confuses. Zero has the colour of the page.
 */
const DIVERGING: Record<Theme, readonly Colour[]> = {
  light: [[0.36, 0.15, 262], [0.68, 0.13, 250], [0.98, 0, 250], [0.98, 0, 60], [0.74, 0.14, 60], [0.42, 0.11, 45]],
  dark: [[0.86, 0.1, 235], [0.58, 0.15, 252], [0.2, 0, 252], [0.2, 0, 55], [0.62, 0.14, 52], [0.88, 0.12, 78]]
}

/** From dark violet through teal to yellow: lightness grows evenly, so the order is visible without hue. */
const SEQUENTIAL: readonly Colour[] = [[0.2, 0.08, 300], [0.39, 0.12, 270], [0.58, 0.1, 200], [0.76, 0.14, 150], [0.95, 0.16, 105]]

const tables = new Map<string, Uint32Array>()

/** The colours of a map, from low to high, as pixels: red in the lowest byte, opaque. */
export function colourTable (kind: Scale['kind'], theme: Theme): Uint32Array {
  const key = `${kind} ${theme}`
  let table = tables.get(key)
  if (table === undefined) {
    table = kind === 'diverging' ? diverging(DIVERGING[theme]) : between(SEQUENTIAL, SHADES)
    tables.set(key, table)
  }
  return table
}

/** The same as a CSS colour. */
export function css (pixel: number): string {
  return `rgb(${pixel & 255} ${(pixel >>> 8) & 255} ${(pixel >>> 16) & 255})`
}

function diverging (colours: readonly Colour[]): Uint32Array {
  const half = (SHADES + 1) / 2
  const middle = colours.length / 2
  const low = between(colours.slice(0, middle), half)
  const high = between(colours.slice(middle), half)
  return Uint32Array.from([...low, ...high.subarray(1)])
}

/** Interpolates evenly from the first colour to the last. */
function between (colours: readonly Colour[], count: number): Uint32Array {
  const labs = colours.map(lab)
  return Uint32Array.from({ length: count }, (_, i) => {
    const at = i / (count - 1) * (labs.length - 1)
    const index = Math.min(Math.floor(at), labs.length - 2)
    const share = at - index
    const [a, b] = [labs[index], labs[index + 1]]
    return pixel(a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)
  })
}

function lab ([lightness, chroma, hue]: Colour): readonly [number, number, number] {
  const angle = hue * Math.PI / 180
  return [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)]
}

/** OKLab to sRGB, by the matrices of its definition. */
function pixel (lightness: number, a: number, b: number): number {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3
  const red = byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s)
  const green = byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s)
  const blue = byte(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s)
  return (255 << 24 | blue << 16 | green << 8 | red) >>> 0
}

function byte (linear: number): number {
  const value = Math.min(1, Math.max(0, linear))
  return Math.round(255 * (value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055))
}
