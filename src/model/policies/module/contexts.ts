/** Which requests' contexts the process of a module has. */
export interface Contexts {
  /** What an order of that request has to bring along: its context, if it is not there, and what to forget. */
  bring (request: number, context: Uint8Array): { readonly context?: Uint8Array, readonly forget: readonly number[] }
  /** The request is over. */
  drop (request: number): void
  /** The process is a new one. */
  clear (): void
}

/** It keeps those that were used last, up to a number of bytes as they are sent; the others are sent again when they are needed. */
export function createContexts (maxBytes: number): Contexts {
  /** Bytes by request, the one used longest ago first. */
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
