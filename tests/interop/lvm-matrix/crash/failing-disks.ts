import { Op, ioError, isCevError } from "@cev/core";
import type { Io } from "@cev/core";
import { ImageLayer } from "../../raid-matrix/image-layer.ts";
import { command, commandOn, lookAt } from "./group-state.ts";
import { contentFailures } from "./run-scene.ts";
import type { PlayedScene } from "./run-scene.ts";
import { failureOf } from "../../matrix/failure-of.ts";

/** Fails one of all the requests that its disks get. */
class Fault {
  readonly #at: number;
  requestCount = 0;

  constructor(at: number) {
    this.#at = at;
  }

  isDue(): boolean {
    return this.requestCount++ === this.#at;
  }
}

class FailingImage extends ImageLayer {
  readonly #fault: Fault;

  constructor(bytes: Uint8Array, fault: Fault) {
    super(bytes);
    this.#fault = fault;
  }

  override submit(io: Io): void {
    if (!this.#fault.isDue()) return super.submit(io);
    // Half of a write that fails may be on the disk.
    if (io.op === Op.write)
      this.bytes.set(io.data.subarray(io.dataOffset, io.dataOffset + Math.floor(io.length / 2)), io.offset);
    io.complete(ioError(io, "CEV_IO", "this request was chosen to fail", this.name));
  }
}

/**
 * Fails each request of a command in turn. The command is done or refused; the group is then the old one or the new one, as
 * was said, and holds what it held.
 */
export async function judgeFaults(played: PlayedScene, seed: number, stride: number): Promise<string[]> {
  const { scene } = played;
  const failures: string[] = [];
  const none = new Fault(-1);
  const whole = played.oldImages.map((bytes) => bytes.slice());
  await command(layersOf(whole, none), scene.command);
  for (let at = seed % stride; at < none.requestCount; at += stride)
    for (const failure of await judgeFault(played, at))
      failures.push(`${scene.name}, request ${at} fails: ${failure}`);
  return failures;
}

async function judgeFault(played: PlayedScene, at: number): Promise<string[]> {
  const { scene, old, changed } = played;
  const images = played.oldImages.map((bytes) => bytes.slice());
  let isDone = true;
  try {
    await command(layersOf(images, new Fault(at)), scene.command);
  } catch (error) {
    if (!isCevError(error) || error.code === "CEV_PROGRAM") return [failureOf(error)];
    isDone = false;
  }
  try {
    let found = await lookAt(images);
    // New volumes get other identities each time.
    const isNew = (): boolean => withoutUuids(found.listing) === withoutUuids(changed.listing);
    if (found.listing !== old.listing && !isNew()) {
      // What takes several steps goes on when it is asked for again.
      await commandOn(images, scene.command);
      found = await lookAt(images);
    }
    if (isDone && !isNew()) return [`it was said to be done, and is not: ${found.listing}`];
    if (found.listing !== old.listing && !isNew())
      return [`it is neither the old nor the new group: ${found.listing}`];
    return contentFailures(found, found.listing === old.listing ? old : changed, scene);
  } catch (error) {
    return [failureOf(error)];
  }
}

function layersOf(images: readonly Uint8Array[], fault: Fault): FailingImage[] {
  return images.map((bytes) => new FailingImage(bytes, fault));
}

function withoutUuids(listing: string): string {
  return listing.replaceAll(/"uuid":"[^"]*"/g, "");
}
