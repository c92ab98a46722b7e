/** What waits at the bottom until it is pumped. An array that keeps its memory: `length = 0` on a plain one gives it up. */
export class PumpQueue<T> {
  readonly items: T[] = [];
  length = 0;

  push(item: T): void {
    this.items[this.length++] = item;
  }
}
