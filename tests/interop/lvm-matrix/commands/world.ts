import { Device, environmentFrom, formatError, isCevError } from "@cev/core";
import { runCommand } from "@cev/lvm";
import type { CommandRequest, CommandResult } from "@cev/lvm";
import { mergeSnapshot } from "@cev/snapshot";
import type { Stack } from "@cev/stack";
import { ImageLayer } from "../../raid-matrix/image-layer.ts";
import { Random } from "../../src/random.ts";
import { openGroup } from "../open-group.ts";
import { closeWritten, openVolumes, readAll, volumeFaults, workOnVolumes } from "../random-volumes.ts";
import { blankWorld } from "./model.ts";
import type { KnownVolume, KnownWorld } from "./model.ts";
import { resolveStep } from "./steps.ts";
import type { Step } from "./steps.ts";

const environment = environmentFrom(globalThis);
const ZEROED = 4096;

/** After these a text that was kept still fits: no extent has another owner. */
const KEEPS_EXTENTS: readonly string[] = ["lvrename", "lvchange", "vgck", "vgcfgbackup", "vgcfgrestore"];

/** What went wrong in a sequence, with the commands that led there. */
export class SequenceFault extends Error {}

/** Disks with a group on them, changed by cev's commands; what the volumes hold is known all the time. */
export class GroupWorld {
  readonly images: readonly Uint8Array[];
  known: KnownWorld;
  /** What was done, a line each. */
  readonly story: string[] = [];
  doneCount = 0;
  refusedCount = 0;

  /** `sizes`: of the disks, which hold garbage where nothing is written. */
  constructor(sizes: readonly number[], random: Random) {
    this.images = sizes.map((size) => random.bytes(size));
    // A disk full of garbage has no label by chance only.
    for (const image of this.images) image.fill(0, 0, 4096);
    this.known = blankWorld(sizes.map((_, index) => `pv${index}`));
  }

  /** Does one step and compares what came of it. Throws a `SequenceFault` where that is not right. */
  async do(step: Step): Promise<void> {
    if (step.kind === "write") return this.#write(seedOf(step));
    // Or little else would be done from here on.
    const { group, isExported } = this.known;
    if (isExported && group !== null && step.choices[5]! < 0.5) {
      if ((await this.run({ command: "vgimport", group })) !== null)
        this.known = { ...this.known, isExported: false };
      return;
    }
    const resolved = resolveStep(step, this.known);
    if (resolved === null) return;
    const { request, after } = resolved;
    if (step.choices[6]! < 0.25) await this.#dryRun(request);
    const result = await this.run(request);
    if (result === null) return;
    const before = this.known;
    this.known = after(before);
    if (request.command === "vgcfgbackup" && result.text !== null)
      this.known = { ...this.known, backup: { text: result.text, volumes: this.known.volumes } };
    else if (!KEEPS_EXTENTS.includes(request.command)) this.known = { ...this.known, backup: null };
    if (request.command === "vgck" && result.rows.length > 0)
      this.fail(`vgck finds fault with its own group: ${JSON.stringify(result.rows)}`);
    if (["lvcreate", "lvextend", "lvreduce", "lvconvert"].includes(request.command))
      await this.#learn(before, step);
  }

  /** Runs a command; null: it was refused, and nothing was written. */
  async run(request: CommandRequest): Promise<CommandResult | null> {
    const before = this.images.map((bytes) => bytes.slice());
    const line = JSON.stringify(request, (key, value: unknown) => (key === "text" ? "…" : value));
    try {
      const result = await this.#command(request, false);
      this.story.push(line);
      this.doneCount++;
      return result;
    } catch (error) {
      this.story.push(`${line} refused: ${isCevError(error) ? formatError(error) : String(error)}`);
      if (!isCevError(error) || error.code === "CEV_PROGRAM")
        this.fail(`a bug shows: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      this.#checkUnwritten(before, "it was refused, and written all the same");
      this.refusedCount++;
      return null;
    }
  }

  /** Compares every volume with what it ought to hold. */
  async verify(): Promise<void> {
    if (this.known.group === null) return;
    const before = this.images.map((bytes) => bytes.slice());
    await using stack = await openGroup(this.images, new Random(this.story.length));
    for (const volume of this.known.volumes) await this.#verifyVolume(stack, volume);
    const known = new Set(this.known.volumes.map(({ name }) => `${this.known.group}/${name}`));
    for (const { name } of stack.devices)
      if (name.includes("/") && !known.has(name)) this.fail(`there is a volume ${name}`);
    this.#checkUnwritten(before, "it was written by reading");
  }

  fail(text: string): never {
    throw new SequenceFault(`${text}\n  after:\n    ${this.story.join("\n    ")}`);
  }

  async #command(request: CommandRequest, isDryRun: boolean): Promise<CommandResult> {
    const devices = await Promise.all(
      this.images.map((bytes, index) =>
        Device.open(new ImageLayer(bytes), environment, { name: `pv${index}`, isReadOnly: isDryRun }),
      ),
    );
    try {
      return await runCommand(
        { environment, devices, isDryRun, hostname: "tests", mergeStore: mergeSnapshot },
        request,
      );
    } finally {
      for (const device of devices) await device.close();
    }
  }

  async #dryRun(request: CommandRequest): Promise<void> {
    const before = this.images.map((bytes) => bytes.slice());
    try {
      await this.#command(request, true);
    } catch (error) {
      if (!isCevError(error) || error.code === "CEV_PROGRAM") this.fail(`a dry run throws ${String(error)}`);
    }
    this.#checkUnwritten(before, `a dry run of ${request.command} wrote something`);
  }

  #checkUnwritten(before: readonly Uint8Array[], text: string): void {
    this.images.forEach((bytes, index) => {
      if (Buffer.compare(bytes, before[index]!) !== 0) this.fail(`${text} (pv${index})`);
    });
  }

  /** After a volume was made, resized or merged: what was there is there still, what is new is read, and filled. */
  async #learn(before: KnownWorld, step: Step): Promise<void> {
    await using stack = await openGroup(this.images, new Random(1), { isReadOnly: false });
    const volumes: KnownVolume[] = [];
    for (const volume of this.known.volumes)
      volumes.push(await this.#learnVolume(stack, volume, before, step));
    this.known = { ...this.known, volumes };
  }

  async #learnVolume(
    stack: Stack,
    volume: KnownVolume,
    before: KnownWorld,
    step: Step,
  ): Promise<KnownVolume> {
    const { name, content, kind, origin } = volume;
    const old = before.volumes.find((one) => one.name === name);
    if (kind === "error" || (content === null && origin !== null)) return volume;
    // What a merge writes to the origin may fill the other snapshots.
    if (step.kind === "merge" && origin !== null && (await this.#isFull(stack, name)))
      return { ...volume, content: null };
    const device = await this.#open(stack, name);
    try {
      if (content?.length === device.size && old !== undefined) return volume;
      const found = await readAll(device);
      const kept = Math.min(content?.length ?? 0, found.length);
      if (content !== null && Buffer.compare(found.subarray(0, kept), content.subarray(0, kept)) !== 0)
        this.fail(`${name} lost what it held`);
      if (old !== undefined || content !== null) return { ...volume, content: found };
      const zeroed = kind === "zero" ? found.length : step.choices[3] === undefined ? 0 : ZEROED;
      const isZeroed = found.subarray(0, zeroed).every((byte) => byte === 0);
      if (!isZeroed && step.kind === "linear" && !device.isReadOnly)
        this.fail(`${name} does not begin with zeroes`);
      if (!device.isReadOnly && kind === "data") {
        const filled = new Random(seedOf(step)).bytes(found.length);
        await device.write(0, filled);
        return { ...volume, content: filled };
      }
      return { ...volume, content: found };
    } finally {
      await device.close();
    }
  }

  async #write(seed: number): Promise<void> {
    const { group, volumes } = this.known;
    if (group === null) return;
    const random = new Random(seed);
    const stack = await openGroup(this.images, random, { isReadOnly: false, chance: random });
    const names = volumes
      .filter((one) => one.kind === "data" && one.content !== null)
      .map(({ name }) => name);
    const opened = await openVolumes(stack, names, group);
    for (const { name, content } of opened) this.#compare(this.#volume(name), content);
    await workOnVolumes(opened, random);
    for (const fault of await volumeFaults(opened)) this.fail(fault);
    await closeWritten(stack, opened);
    this.story.push(`written: ${opened.map(({ name }) => name).join(", ")}`);
    for (const { name, content, isFull } of opened) {
      const volume = this.#volume(name);
      if ((content === null || isFull) && volume.origin === null) this.fail(`${name} does not take writes`);
      // In place: a volume of the kept text is the same one.
      if (content !== null) volume.content!.set(content);
      else
        this.known = {
          ...this.known,
          // A text that is kept knows nothing of it.
          backup: null,
          volumes: this.known.volumes.map((one) => (one === volume ? { ...one, content } : one)),
        };
    }
  }

  async #verifyVolume(stack: Stack, volume: KnownVolume): Promise<void> {
    const { name, content, kind, origin } = volume;
    // Full: it is there, but not opened, or cannot be read.
    if (content === null && origin !== null) return this.#verifyFull(stack, name);
    const device = await this.#open(stack, name);
    try {
      const found = await readAll(device);
      if (content === null) this.fail(`${name} can be read, though it is of the type ${kind}`);
      this.#compare(volume, found);
    } catch (error) {
      if (error instanceof SequenceFault) throw error;
      if (content !== null || !isCevError(error)) this.fail(`${name} cannot be read: ${String(error)}`);
    } finally {
      await device.close();
    }
  }

  async #verifyFull(stack: Stack, name: string): Promise<void> {
    if (!(await this.#isFull(stack, name))) this.fail(`${name} can be read, though it was full`);
  }

  /** Whether a snapshot is there, and cannot be read. */
  async #isFull(stack: Stack, name: string): Promise<boolean> {
    try {
      await using device = await stack.open(this.#full(name));
      await device.read(0, 512);
      return false;
    } catch (error) {
      if (isCevError(error) && error.code !== "CEV_PROGRAM") return true;
      throw error;
    }
  }

  async #open(stack: Stack, name: string): Promise<Device> {
    try {
      return await stack.open(this.#full(name));
    } catch (error) {
      const told = stack.problems.map(({ message }) => message).join("; ");
      return this.fail(`${name} is not opened: ${String(error)}; ${told}`);
    }
  }

  #compare({ name, content }: KnownVolume, found: Uint8Array | null): void {
    if (content === null || found === null) return;
    if (found.length !== content.length)
      this.fail(`${name} has ${found.length} bytes, not ${content.length}`);
    if (Buffer.compare(found, content) === 0) return;
    const first = found.findIndex((byte, index) => byte !== content[index]);
    this.fail(`${name} reads otherwise from ${first} on`);
  }

  #volume(name: string): KnownVolume {
    const volume = this.known.volumes.find((one) => one.name === name);
    return volume ?? this.fail(`there is no ${name}`);
  }

  #full(name: string): string {
    return `${this.known.group}/${name}`;
  }
}

function seedOf({ choices }: Step): number {
  return Math.floor(choices[7]! * 2 ** 20);
}
