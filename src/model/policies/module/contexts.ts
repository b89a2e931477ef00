/** Tracks which requests' contexts a module's process holds. */
export interface Contexts {
  /** What an order for that request must include: its context, if the process does not hold it, and the requests to forget. */
  bring (request: number, context: Uint8Array): { readonly context?: Uint8Array, readonly forget: readonly number[] }
  /** Call it when the request has ended. */
  drop (request: number): void
  /** Call it when the process is a new one. */
  clear (): void
}

/** Keeps the contexts that were used last, up to `maxBytes` as they are sent; the others are sent again when they are needed. */
export function createContexts (maxBytes: number): Contexts {
  /** Bytes by request, least recently used first. */
  const held = new Map<number, number>()
  let bytes = 0
  let forget: number[] = []

  function drop (request: number): void {
    const size = held.get(request)
    if (size === undefined) return
    held.delete(request)
    bytes -= size
    forget.push(request)
  }

  return {
    drop,
    clear () {
      held.clear()
      bytes = 0
      forget = []
    },
    bring (request, context) {
      const isThere = held.delete(request)
      held.set(request, context.length)
      if (!isThere) bytes += context.length
      for (const [oldest] of held) {
        if (bytes <= maxBytes || oldest === request) break
        drop(oldest)
      }
      const forgotten = forget
      forget = []
      return { ...(!isThere && { context }), forget: forgotten }
    }
  }
}
