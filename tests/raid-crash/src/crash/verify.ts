import { isCevError } from "@cev/core";
import type { Random, SimulatedWorld } from "@cev/test-kit";
import { openArray } from "../array.ts";
import type { NamedDisk, OpenArray } from "../array.ts";
import type { History } from "../work/history.ts";
import { dataOf } from "../images/images.ts";
import { arraySizeOf, contentOf, redundancyFaults } from "../reference.ts";
import { hasParity, isRedundant } from "../shape.ts";
import type { Shape } from "../shape.ts";
import { CUT_KINDS, historyAfter, imagesAfterCut } from "./cut.ts";
import type { Cut, Seen } from "./cut.ts";
import { disksOf } from "./rig.ts";
import type { Disk } from "./rig.ts";
import { firstWrongOf, isUnlike, readAll } from "../work/workload.ts";
import type { WholeRead } from "../work/workload.ts";
import { drive } from "../work/world.ts";

/** What a restart is judged with. */
export interface Judge {
  /**
   * Not the one the power went in. The power may go again while an array comes back, as often as there are worlds but one:
   * each restart has its own.
   */
  readonly worlds: readonly SimulatedWorld[];
  readonly random: Random;
  /** How many cuts have been judged. */
  cutCount: number;
}

/** Restarts after a cut. Returns what is wrong, in words. */
export async function verifyCut(judge: Judge, cut: Cut): Promise<string[]> {
  judge.cutCount++;
  const restart = new Restart(judge, cut);
  try {
    await restart.run();
  } catch (error) {
    const code = isCevError(error) ? error.code : "";
    restart.violations.push(`it does not come back: ${code} ${(error as Error).stack ?? String(error)}`);
  }
  return restart.violations.map((text) => `cut ${cut.index} (${cut.kind}): ${text}`);
}

class Restart {
  readonly violations: string[] = [];
  readonly #judge: Judge;
  readonly #world: SimulatedWorld;
  readonly #cut: Cut;
  readonly #disks: readonly Disk[];
  readonly #pending: Cut[] = [];
  // Of these disks, and what was read from them.
  #history: History;
  #seen: Seen | null = null;
  #shape: Shape;
  #changeCount = 0;

  constructor(judge: Judge, cut: Cut) {
    this.#judge = judge;
    this.#cut = cut;
    this.#world = judge.worlds[0]!;
    this.#disks = disksOf(this.#world.environment, cut.images);
    this.#history = cut.history;
    this.#shape = cut.shapes[0]!;
    // The power goes again at some point of the way back.
    const again = judge.worlds.length > 1 ? judge.random.below(30) : -1;
    for (const { platter } of this.#disks) platter.onChange = () => this.#onChange(again);
  }

  async run(): Promise<void> {
    const world = this.#world;
    const lentBefore = world.environment.buffers.bytesLent;
    const offered = this.#offered();
    this.#history = historyAfter(
      this.#cut,
      offered.map(({ name }) => name),
    );
    const array = await this.#drive(openArray(world.environment, offered, { shape: this.#shape }));
    const { unsynced } = array.layer.array;
    const from = unsynced.length === 0 ? [] : namesInSync(array).filter((name) => name !== null);
    this.#findShape(array);
    const first = await this.#drive(readAll(array.device));
    this.#judgeRead(first);
    this.#learn(first, from);
    if (!array.device.isReadOnly) {
      await this.#drive(array.layer.idle());
      // All members hold it now.
      this.#learn(first, []);
      const second = await this.#drive(readAll(array.device));
      if (isUnlike(first, second)) this.violations.push("it reads otherwise after the resync than before");
      first.bytes.set(second.bytes);
    }
    const inSync = namesInSync(array);
    await this.#drive(array.device.close());
    for (const { platter } of this.#disks) platter.onChange = null;
    if (!array.device.isReadOnly) await this.#judgeDisks(array, inSync, first);
    if (world.environment.buffers.bytesLent !== lentBefore)
      this.violations.push("buffers were not given back");
    for (const { name, layer } of this.#disks)
      if (layer.claims.count !== 0) this.violations.push(`${name} is still claimed`);
  }

  /** `from`: the members that it may have come from alone. */
  #learn({ bytes, isKnown }: WholeRead, from: readonly string[]): void {
    const history = this.#history.copy();
    history.learn(bytes, isKnown);
    this.#seen = { history, from: new Set(from) };
  }

  /** The disks in any order; one that failed long ago may be gone for good. */
  #offered(): readonly NamedDisk[] {
    const { random } = this.#judge;
    const { outs } = this.#cut;
    return random.shuffled(this.#disks.filter(({ name }) => !outs.has(name) || random.chance(0.7)));
  }

  /** While it grows it may be the one or the other. */
  #findShape({ device }: OpenArray): void {
    const found = this.#cut.shapes.find((shape) => arraySizeOf(shape) === device.size);
    if (found === undefined) throw new Error(`an array of ${device.size} bytes comes back`);
    this.#shape = found;
  }

  #judgeRead(read: WholeRead): void {
    const mayRefuse = this.#cut.isDegraded && hasParity(this.#shape);
    const wrong = firstWrongOf(read, this.#history);
    if (wrong >= 0) this.violations.push(`byte ${wrong} holds neither what was flushed nor anything later`);
    if (read.refused.length > 0 && !mayRefuse)
      this.violations.push(`a read is refused while redundancy lasts: ${String(read.refused[0])}`);
  }

  /** What lies on the disks after an orderly stop: right by the reference, and enough without any one of the members. */
  async #judgeDisks(array: OpenArray, inSync: readonly (string | null)[], read: WholeRead): Promise<void> {
    const { random } = this.#judge;
    const shape = this.#shape;
    // After an orderly stop a power cut takes nothing away.
    const images = imagesAfterCut(shape, this.#disks, "all lost", random);
    const imageOf = (name: string): Uint8Array =>
      images[this.#disks.findIndex((disk) => disk.name === name)]!;
    const members = inSync.map((name) => (name === null ? null : dataOf(shape, imageOf(name))));
    const faults = redundancyFaults(shape, members);
    if (faults.length > 0) this.violations.push(`after the resync: ${faults.slice(0, 3).join("; ")}`);
    const whole = members.filter((member) => member !== null);
    if (whole.length === members.length) {
      const held = contentOf(shape, whole);
      if (Buffer.compare(held, read.bytes) !== 0)
        this.violations.push("the reference finds other contents on the disks than were read");
    } else if (!this.#cut.isDegraded) {
      this.violations.push(`${inSync.indexOf(null)} is not in sync, although no disk has failed`);
    }
    await this.#judgeWithout(array, images, read);
  }

  async #judgeWithout(array: OpenArray, images: readonly Uint8Array[], read: WholeRead): Promise<void> {
    const { random } = this.#judge;
    const world = this.#world;
    if (!isRedundant(this.#shape)) return;
    const dropped = this.#droppable(array);
    if (dropped.size === 0) return;
    const names = [...dropped].join(", ");
    const disks = disksOf(world.environment, images).filter(({ name }) => !dropped.has(name));
    const degraded = await drive(
      world,
      openArray(world.environment, random.shuffled(disks), { isReadOnly: true, shape: this.#shape }),
    );
    const again = await drive(world, readAll(degraded.device));
    if (again.refused.length > 0)
      this.violations.push(`after an orderly stop, without ${names}: ${again.refused[0]!.message}`);
    else if (isUnlike(read, again)) this.violations.push(`without ${names} it reads otherwise`);
    await drive(world, degraded.device.close());
  }

  /** Some disks that the array can do without. */
  #droppable(array: OpenArray): ReadonlySet<string> {
    const { level, geometry, members } = array.layer.array;
    const dropped = new Set<string>();
    for (const candidate of this.#judge.random.shuffled(members)) {
      const isLeft = (index: number): boolean => {
        const { isInSync, name } = members[index]!;
        return isInSync && index !== candidate.index && !dropped.has(name);
      };
      if (candidate.isInSync && level.survives(geometry, isLeft)) dropped.add(candidate.name);
    }
    return dropped;
  }

  #onChange(again: number): void {
    const { random } = this.#judge;
    if (this.#changeCount++ !== again) return;
    const kind = random.pick(CUT_KINDS);
    const images = imagesAfterCut(this.#shape, this.#disks, kind, random);
    this.#pending.push({ ...this.#cut, kind, images, history: this.#history, seen: this.#seen });
  }

  async #drive<T>(promise: Promise<T>): Promise<T> {
    const world = this.#world;
    const result = await drive(world, promise);
    for (const cut of this.#pending.splice(0)) {
      const judge = { ...this.#judge, worlds: this.#judge.worlds.slice(1), cutCount: 0 };
      const found = await verifyCut(judge, cut);
      this.#judge.cutCount += judge.cutCount;
      this.violations.push(...found.map((text) => `when the power goes again, ${text}`));
    }
    return result;
  }
}

function namesInSync({ layer }: OpenArray): (string | null)[] {
  return layer.array.members.map((member) => (member.isInSync ? member.name : null));
}
