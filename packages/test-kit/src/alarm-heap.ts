/** Something that is to happen at a time. */
export interface Alarm {
  readonly at: number;
  /** Those of one time ring in the order in which they were set. */
  readonly order: number;
  readonly run: () => void;
  /** Where it is in the heap; -1: it rang, or was taken back. */
  place: number;
}

/** Alarms by time: a binary heap, so that a thousand timers cost little more than one. */
export class AlarmHeap {
  readonly #alarms: Alarm[] = [];
  #order = 0;

  get isEmpty(): boolean {
    return this.#alarms.length === 0;
  }

  add(at: number, run: () => void): Alarm {
    const alarm = { at, order: this.#order++, run, place: this.#alarms.length };
    this.#alarms.push(alarm);
    this.#rise(alarm);
    return alarm;
  }

  /** Takes the next one out; null: there is none. */
  take(): Alarm | null {
    const first = this.#alarms[0];
    if (first === undefined) return null;
    this.remove(first);
    return first;
  }

  /** Takes one back; nothing happens when it rang before. */
  remove(alarm: Alarm): void {
    const { place } = alarm;
    if (place < 0) return;
    alarm.place = -1;
    const last = this.#alarms.pop()!;
    if (last === alarm) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(alarm: Alarm): void {
    while (alarm.place > 0) {
      const { place } = alarm;
      const above = this.#alarms[(place - 1) >> 1]!;
      if (!isBefore(alarm, above)) return;
      this.#put(alarm, above.place);
      this.#put(above, place);
    }
  }

  #sink(alarm: Alarm): void {
    for (;;) {
      const { place } = alarm;
      const left = this.#alarms[2 * place + 1];
      if (left === undefined) return;
      const right = this.#alarms[2 * place + 2];
      const below = right !== undefined && isBefore(right, left) ? right : left;
      if (!isBefore(below, alarm)) return;
      this.#put(alarm, below.place);
      this.#put(below, place);
    }
  }

  #put(alarm: Alarm, place: number): void {
    this.#alarms[place] = alarm;
    alarm.place = place;
  }
}

function isBefore(a: Alarm, b: Alarm): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
