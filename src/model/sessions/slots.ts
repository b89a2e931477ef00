/** How many bytes are taken from the system at a time: enough to be placed apart from the short-lived memory of requests. */
const CHUNK = 2 ** 18

/** Memory for vectors that come and go. Allocated separately, each would take twice its bytes from the system and leave holes between others. */
export interface Slots {
  /** Copies a vector to a slot, which belongs to the caller until it is put back. */
  keep (vector: Float32Array): Float32Array
  put (slot: Float32Array): void
}

export function createSlots (): Slots {
  const byWidth = new Map<number, Width>()
  return {
    keep (vector) {
      const width = byWidth.get(vector.length) ?? { free: [], kept: 0 }
      byWidth.set(vector.length, width)
      if (width.free.length === 0) width.free = cut(vector.length)
      const slot = width.free.pop() ?? new Float32Array(vector.length)
      slot.set(vector)
      width.kept++
      return slot
    },
    put (slot) {
      const width = byWidth.get(slot.length)
      if (width === undefined) return
      width.free.push(slot)
      // Once no slot of a width is in use, their memory is released.
      if (--width.kept === 0) byWidth.delete(slot.length)
    }
  }
}

/** The slots of one width. */
interface Width {
  free: Float32Array[]
  kept: number
}

function cut (width: number): Float32Array[] {
  const count = Math.max(1, Math.floor(CHUNK / 4 / Math.max(1, width)))
  const chunk = new Float32Array(count * width)
  return Array.from({ length: count }, (_, i) => chunk.subarray(i * width, (i + 1) * width))
}
