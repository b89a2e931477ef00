/** Row numbers, first in, first out. It grows as needed and allocates nothing otherwise. Most queues are never used: an empty one is small. */
export class RowQueue {
  #ring: number[] = []
  #first = 0
  #count = 0

  get length (): number {
    return this.#count
  }

  push (row: number): void {
    if (this.#count === this.#ring.length) this.#grow()
    this.#ring[(this.#first + this.#count) % this.#ring.length] = row
    this.#count++
  }

  /** The row that has waited longest, without taking it; any value if the queue is empty. */
  peek (): number {
    return this.#ring[this.#first]
  }

  /** Takes the row that has waited longest; returns any value if the queue is empty. */
  shift (): number {
    const row = this.#ring[this.#first]
    this.#first = (this.#first + 1) % this.#ring.length
    this.#count--
    return row
  }

  #grow (): void {
    const larger = new Array<number>(Math.max(1, 2 * this.#ring.length)).fill(0)
    for (let i = 0; i < this.#count; i++) larger[i] = this.#ring[(this.#first + i) % this.#ring.length]
    this.#ring = larger
    this.#first = 0
  }
}
