import { isCevError } from "@cev/core";
import type { FaultLayer } from "../layers/fault-layer.ts";
import { Absences } from "./absences.ts";
import { Excused, Judge, textOf } from "./judge.ts";
import type { Excuses } from "./judge.ts";
import type { SimulationKind } from "./kind.ts";
import { Machine } from "./machine.ts";
import { layersOf } from "./plan.ts";
import type { StackPlan } from "./plan.ts";
import { SectorModel } from "./sector-model.ts";
import type { Trace } from "./seed.ts";
import { wordsOf } from "./work.ts";

const SECTOR = 512;
const READ_LENGTH = 65_536;
// A mirror has as many, mostly.
const COPIES_MAX = 3;

/** Settings of a `Session`. */
export interface SessionOptions {
  readonly plan: StackPlan;
  readonly kinds: ReadonlyMap<string, SimulationKind>;
  readonly seed: number;
  readonly trace: Trace;
}

/** A stack of a run, over all its lives, with what it must hold: opened, compared and closed here. */
export class Session {
  readonly machine: Machine;
  readonly judge: Judge = new Judge();
  readonly absences: Absences;
  /** What may be read after a power cut. */
  readonly durable: SectorModel;
  /** What may be read now. */
  readonly now: SectorModel;
  /** Something that the stack cannot make up for was done to it. */
  mayFail = false;
  /** The power went during a chore, and what that had begun has not been put in order. */
  isUnfinished = false;
  /** With lowers missing and writes cut short some layer refuses. */
  readonly refusesDegraded: boolean;
  /** Something in it can do without one of its lowers. */
  readonly #hasCopies: boolean;
  readonly #mayOverflow: boolean;
  /** A part was away when the power came back. */
  #wasCutInPart = false;
  readonly #forgets: boolean;
  readonly #trace: Trace;

  constructor({ plan, kinds, seed, trace }: SessionOptions) {
    this.machine = new Machine(plan, kinds, { seed, trace });
    this.absences = new Absences(plan.top, kinds);
    this.#trace = trace;
    const traits = layersOf(plan.top).map(({ kind, options }) => kinds.get(kind)!.traits(options));
    this.refusesDegraded = traits.some((one) => one.refusesDegraded === true);
    this.#hasCopies = traits.some(({ lossesMax = 0 }) => lossesMax > 0);
    this.#mayOverflow = traits.some((one) => one.mayOverflow === true);
    this.#forgets = traits.some((one) => one.forgets === true);
    const sectorCount = Math.floor(plan.top.size / SECTOR);
    this.durable = new SectorModel(sectorCount);
    this.now = new SectorModel(sectorCount);
  }

  /** Nothing is missing, has failed, or is half done. */
  get isWhole(): boolean {
    const { hasAny, lacksParts } = this.absences;
    return !hasAny && !lacksParts && !this.mayFail && !this.isUnfinished;
  }

  get excuses(): Excuses {
    const mayBeDegraded = this.refusesDegraded && this.#wasCutInPart && this.absences.hasAny;
    return { mayFail: this.mayFail, mayOverflow: this.#mayOverflow, mayBeDegraded };
  }

  faultOf(disk: number): FaultLayer {
    return this.machine.disks[disk]!.fault;
  }

  /** The power comes back, with these disks, and without those that are away. */
  begin(images: readonly Uint8Array[]): void {
    this.machine.begin(images);
    for (const disk of this.absences.lost) this.faultOf(disk).lose();
  }

  /** Opens, and compares all of it with what it may hold, of which it resolves with what it does. Null: something is wrong. */
  async open(model: SectorModel): Promise<Uint32Array | null> {
    const { machine, absences } = this;
    machine.newRig();
    this.#wasCutInPart = absences.hasAny && (this.#wasCutInPart || model === this.durable);
    // A disk that cannot be read just now would be taken for one that is gone: what fails once fails in the work.
    for (const [index, { fault }] of machine.disks.entries()) {
      fault.reset();
      if (absences.isLost(index)) fault.lose();
    }
    try {
      await machine.drive(machine.rig.open(false, absences.hasAny || this.mayFail));
    } catch (error) {
      throw this.#excusable(`it does not open: ${textOf(error)}`);
    }
    // What may be wrong is shown, and never written.
    if (machine.rig.device!.isReadOnly) throw this.#excusable("it opens read-only");
    const lacked = machine.rig.lackedDisks;
    absences.opened(lacked);
    // Where a part is left out that knew better, one that is out of date may have opened alone: as whoever lets it must expect.
    const mayMislead = this.mayFail || (this.refusesDegraded && absences.areTooMany);
    if (mayMislead && lacked.length > 0) throw this.#excusable("a part of it cannot be used");
    const words = await this.readAll();
    const wrong = model.firstWrong(words);
    // Of two halves one may be out of date, and the other one what is noticed to be spoiled: then it is left out.
    if (wrong >= 0 && this.mayFail && absences.hasAny) throw this.#excusable("a part of it is spoiled");
    if (wrong >= 0) {
      this.judge.found(
        model === this.now
          ? `after it was closed and opened, byte ${wrong * SECTOR} is not what was written last`
          : `byte ${wrong * SECTOR} holds neither what was flushed nor anything later`,
      );
      return null;
    }
    // Of copies that differ since a power cut another one is read when a device that is half away leaves altogether.
    if (!absences.hasAny) this.now.learn(words);
    else if (model === this.durable) this.now.take(model);
    return words;
  }

  /** False: it failed, as it might; what was not flushed may be gone. */
  async close(): Promise<boolean> {
    const { judge, absences } = this;
    const { rig, disks } = this.machine;
    let isOrderly = true;
    try {
      await this.machine.drive(rig.close());
    } catch (error) {
      isOrderly = false;
      // Of what was lost something may be left to write.
      judge.error("closing", error, { ...this.excuses, mayFail: this.mayFail || absences.hasAny });
    }
    for (const check of rig.checks)
      for (const violation of check.violations) judge.found(`the contract was broken: ${violation}`);
    if (absences.hasAny || this.mayFail) return isOrderly;
    const { bytesLent } = this.machine;
    if (bytesLent > 0 && !this.#forgets) judge.found(`${bytesLent} bytes of memory were not given back`);
    const claimed = disks.filter(({ fault }) => fault.claims.count > 0).length;
    if (claimed > 0) judge.found(`${claimed} disks are still claimed after closing`);
    return isOrderly;
  }

  async readAll(): Promise<Uint32Array> {
    const [words] = await this.#readAll(1);
    return words!;
  }

  /** Compares what is read with what was written last: of several reads at once each takes another copy, where there are some. */
  async compare(when: string): Promise<void> {
    for (const words of await this.#readAll(this.#hasCopies ? COPIES_MAX : 1)) {
      const wrong = this.now.firstWrong(words);
      if (wrong < 0) continue;
      return this.judge.found(`after ${when}, byte ${wrong * SECTOR} is not what was written last`);
    }
  }

  /** All of it, so many times side by side. */
  async #readAll(count: number): Promise<Uint32Array[]> {
    const { machine } = this;
    const all = Array.from({ length: count }, () => new Uint8Array(this.now.sectorCount * SECTOR));
    for (let at = 0; at < all[0]!.length; at += READ_LENGTH) {
      const parts = all.map((bytes) => bytes.subarray(at, at + READ_LENGTH));
      try {
        const { device } = machine.rig;
        await machine.drive(Promise.all(parts.map((part) => device!.readInto(at, part))));
      } catch (error) {
        // Metadata may still be there where the data is not: then it shows only now what there is no more.
        if (isCevError(error) && error.code === "CEV_DEGRADED") throw this.#excusable(textOf(error));
        this.judge.error(`a read of ${parts[0]!.length} at byte ${at}`, error, this.excuses);
        throw new Excused();
      }
    }
    return all.map((bytes) => {
      const words = wordsOf(bytes);
      for (let at = 0; at < words.length; at += SECTOR / 4) this.#trace.add(words[at]!);
      return words;
    });
  }

  /** After a failure, or where one may refuse with disks missing: the run ends. */
  #excusable(what: string): Error {
    const isDegraded = this.absences.hasAny || this.isUnfinished;
    if (!this.mayFail && !(isDegraded && this.refusesDegraded)) return new Error(what);
    this.judge.excusedCount++;
    return new Excused();
  }
}
