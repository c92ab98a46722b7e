import { Op, isCevError } from "@cev/core";
import type { CevError, ErrorCode } from "@cev/core";
import { FaultLayer, MemoryLayer, Random, SimulatedWorld } from "@cev/test-kit";
import { openArray } from "../array.ts";
import type { OpenArray } from "../array.ts";
import { makeImages, placesOfMember } from "../images/images.ts";
import { arraySizeOf } from "../reference.ts";
import { isVolume, redundancyOf } from "../shape.ts";
import type { Shape } from "../shape.ts";
import { History } from "../work/history.ts";
import { Workload, firstWrongOf, readAll } from "../work/workload.ts";
import { drive } from "../work/world.ts";

/** How a run is made. */
export interface FaultRunOptions {
  readonly shape: Shape;
  readonly seed: number;
  /** No more fails than the redundancy makes up for: then nothing may fail above. */
  readonly isWithin: boolean;
  /** Steps of the workload. Default 14. */
  readonly stepCount?: number;
}

/** What came of a run. */
export interface FaultRunResult {
  /** Requests that succeeded, and that failed as they may. */
  readonly doneCount: number;
  readonly failedCount: number;
  readonly faultCount: number;
  readonly violations: readonly string[];
}

interface Disk {
  readonly name: string;
  readonly memory: MemoryLayer;
  readonly layer: FaultLayer;
}

/** Runs a workload while members fail in every way, and compares with a plain model. */
export async function runFaults(options: FaultRunOptions): Promise<FaultRunResult> {
  const run = new FaultRun(options);
  try {
    await run.run();
  } catch (error) {
    run.violations.push(`it ended with ${(error as Error).stack ?? String(error)}`);
  }
  const { doneCount, failedCount, faultCount, violations } = run;
  return { doneCount, failedCount, faultCount, violations };
}

const CODES: readonly ErrorCode[] = ["CEV_IO", "CEV_MEDIUM", "CEV_TIMED_OUT", "CEV_DEVICE_LOST"];

// A device that hangs comes back to its senses after this time.
const PATIENCE_MS = 30_000;

class FaultRun {
  readonly violations: string[] = [];
  doneCount = 0;
  failedCount = 0;
  readonly #options: FaultRunOptions;
  readonly #world: SimulatedWorld;
  readonly #random: Random;
  readonly #disks: readonly Disk[];
  readonly #now: History;
  // A device was full: then writes may fail although nothing is broken.
  #isFull = false;

  constructor(options: FaultRunOptions) {
    const { shape, seed } = options;
    this.#options = options;
    this.#random = new Random(seed);
    this.#world = new SimulatedWorld({ seed: seed + 1 });
    const content = this.#random.bytes(arraySizeOf(shape));
    this.#now = new History(content);
    const { environment } = this.#world;
    const images = makeImages(shape, content);
    // A blank one, to rebuild on.
    if (redundancyOf(shape) > 0 && !isVolume(shape)) images.push(new Uint8Array(images[0]!.length));
    this.#disks = images.map((contents, index) => {
      const memory = new MemoryLayer(environment, {
        size: contents.length,
        contents,
        completion: "random",
        seed: seed + 10 + index,
      });
      return {
        name: `d${index}`,
        memory,
        layer: new FaultLayer(memory, environment, { seed: seed + index }),
      };
    });
  }

  get faultCount(): number {
    return this.#disks.reduce((sum, { layer }) => sum + layer.faultCount, 0);
  }

  async run(): Promise<void> {
    const { stepCount = 14 } = this.#options;
    const random = this.#random;
    const { environment } = this.#world;
    const lentBefore = environment.buffers.bytesLent;
    const members = this.#disks.slice(0, this.#options.shape.memberCount);
    const array = await this.#drive(
      openArray(environment, random.shuffled(members), { shape: this.#options.shape }),
    );
    const victims = this.#victims();
    const workload = new Workload({
      world: this.#world,
      random,
      device: array.device,
      durable: this.#now.copy(),
      now: this.#now,
      mayFail: (error) => this.#mayFail(error),
      cancelChance: 0.1,
    });
    for (let step = 0; step < stepCount; step++) {
      if (victims.length > 0 && random.chance(0.4)) this.#break(random.pick(victims));
      const work = Promise.all([
        random.chance(0.85) ? workload.burst() : workload.rest(),
        random.chance(0.25) ? this.#replace(array) : null,
      ]);
      // What hangs is let go in the end, as by a device that comes back to its senses.
      this.#world.environment.clock.after(random.between(1, 40), () => {
        for (const { layer } of this.#disks) if (random.chance(0.7)) layer.release();
      });
      await this.#drive(work, true);
    }
    this.violations.push(...workload.violations);
    this.doneCount = workload.doneCount;
    this.failedCount = workload.failedCount;
    await this.#end(array, lentBefore);
  }

  /** The disks that may fail. */
  #victims(): readonly Disk[] {
    const { shape, isWithin } = this.#options;
    if (!isWithin) return this.#disks;
    // The blank one may fail at any time: nothing is on it alone, as long as those that fail stay the same.
    const members = this.#random.shuffled(this.#disks.slice(0, shape.memberCount));
    return [...members.slice(0, redundancyOf(shape)), ...this.#disks.slice(shape.memberCount)];
  }

  /** The blank disk steps in for a member that has failed; it may fail itself, before, while or after it is rebuilt. */
  async #replace({ layer }: OpenArray): Promise<void> {
    const blank = this.#disks[this.#options.shape.memberCount];
    const failed = layer.array.members.find(({ state }) => state === "failed");
    if (blank === undefined || failed === undefined) return;
    try {
      await layer.removeMember(failed.name);
      await layer.addMember(blank.layer, blank.name);
    } catch (error) {
      if (!isCevError(error)) throw error;
    }
  }

  #break({ layer }: Disk): void {
    const random = this.#random;
    const { dataOffset, superOffset } = placesOfMember(this.#options.shape);
    const { memberSize } = this.#options.shape;
    const code = random.pick(CODES);
    switch (random.below(9)) {
      case 0:
        return layer.lose();
      case 1:
      case 2:
        return layer.addBadRange(
          dataOffset + 512 * random.below(memberSize / 512),
          512 * random.between(1, 16),
        );
      case 3:
        return layer.add({
          fault: { kind: "error", code },
          op: Op.write,
          skipCount: random.below(5),
          countMax: 1,
        });
      case 4:
        return layer.add({ fault: { kind: "errorAfter", code }, skipCount: random.below(5), countMax: 1 });
      case 5:
        return layer.add({ fault: { kind: "half", code }, skipCount: random.below(5), countMax: 1 });
      case 6:
        // Of the metadata: an update of superblock and what lies near it.
        return layer.add({
          fault: { kind: "error", code },
          op: Op.write,
          offset: superOffset,
          length: 8192,
          skipCount: random.below(2),
          countMax: 1,
        });
      case 7:
        if (random.chance(0.7))
          return layer.add({ fault: { kind: "hang" }, skipCount: random.below(3), countMax: 2 });
        return layer.add({ fault: { kind: "delay", delayMs: 700 }, skipCount: random.below(3), countMax: 3 });
      default:
        this.#isFull = true;
        return layer.add({
          fault: { kind: "error", code: "CEV_NO_SPACE" },
          op: Op.write,
          skipCount: random.below(5),
          countMax: random.between(1, 3),
        });
    }
  }

  #mayFail(error: CevError): boolean {
    return !this.#options.isWithin || (this.#isFull && error.code === "CEV_NO_SPACE");
  }

  /** Ends the array, and opens what is left. */
  async #end(array: OpenArray, lentBefore: number): Promise<void> {
    const { environment } = this.#world;
    const { isWithin } = this.#options;
    await this.#drive(
      this.#tolerant(() => array.layer.idle()),
      true,
    );
    await this.#drive(
      this.#tolerant(() => array.device.close()),
      true,
    );
    for (const { layer } of this.#disks) layer.reset();
    await this.#drive(Promise.resolve());
    if (environment.buffers.bytesLent !== lentBefore)
      this.violations.push(
        `${environment.buffers.bytesLent - lentBefore} bytes of buffers were not given back`,
      );
    for (const { name, layer } of this.#disks)
      if (layer.claims.count > 0) this.violations.push(`${name} is still claimed`);
    await this.#judgeRest(isWithin);
  }

  /** All disks are well again: what was told to be written is there, or refused where more had failed than may. */
  async #judgeRest(isWithin: boolean): Promise<void> {
    const { environment } = this.#world;
    const { shape } = this.#options;
    let again: OpenArray;
    try {
      again = await this.#drive(openArray(environment, this.#random.shuffled(this.#disks), { shape }));
    } catch (error) {
      if (!isCevError(error)) throw error;
      if (isWithin) this.violations.push(`it does not open any more: ${error.code} ${error.message}`);
      return;
    }
    const read = await this.#drive(readAll(again.device));
    const wrong = firstWrongOf(read, this.#now);
    if (wrong >= 0) this.violations.push(`opened again, byte ${wrong} is not what was written last`);
    if (isWithin && read.refused.length > 0)
      this.violations.push(
        `opened again, a read is refused: ${read.refused[0]!.code} ${read.refused[0]!.message}`,
      );
    await this.#drive(again.device.close());
  }

  async #tolerant(run: () => Promise<unknown>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!isCevError(error)) throw error;
      if (!this.#mayFail(error)) this.violations.push(`it does not end: ${error.code} ${error.message}`);
    }
  }

  /** `isReleasing`: whatever hangs for long is let go in the end. */
  #drive<T>(promise: Promise<T>, isReleasing = false): Promise<T> {
    const world = this.#world;
    const patientUntil = world.now + PATIENCE_MS;
    return drive(world, promise, () => {
      if (isReleasing && (world.isIdle || world.now > patientUntil))
        for (const { layer } of this.#disks) layer.release();
      return Promise.resolve();
    });
  }
}
