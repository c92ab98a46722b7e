import { CevError, isCevError } from "@cev/core";
import type { RaidLayer } from "@cev/raid";
import { detailOf, syncOf } from "./array-detail.ts";
import type { ArrayDetail } from "./array-detail.ts";
import type { ArrayAnswer, ArrayRequest, OnSync } from "./array-request.ts";
import { placeOf } from "../place.ts";
import { memberPath } from "./member-path.ts";
import { openNewMember } from "./new-member.ts";
import type { OpenArray } from "./open-array.ts";

const SECTOR = 512;
const PROGRESS_PERIOD_MS = 100;

/** An array that is open for writing, and what can be asked of it. One request at a time may change it. */
export class ArraySession {
  readonly array: OpenArray;
  readonly #layer: RaidLayer;
  /** By member, its path; null: none that is known. */
  readonly #files = new Map<string, string | null>();

  constructor(array: OpenArray, layer: RaidLayer) {
    this.array = array;
    this.#layer = layer;
    for (const lower of array.record.lowers) this.#files.set(lower.name, memberPath(lower));
  }

  /** Does what is asked. Rejects with errors that say what to do next; when the signal aborts, with its reason. */
  async execute(request: ArrayRequest, onSync: OnSync, signal: AbortSignal): Promise<ArrayAnswer> {
    if (request.speedLimitKiB !== null) this.#layer.setSpeedLimit({ maxKiB: request.speedLimitKiB });
    const lines = await this.#act(request, onSync, signal);
    if (request.isWaiting) await this.idle(onSync, signal);
    return { lines, array: this.detail() };
  }

  detail(): ArrayDetail {
    return detailOf(this.array.record);
  }

  /** Waits until nothing goes on in the background. */
  idle(onSync: OnSync, signal: AbortSignal): Promise<void> {
    return this.#watch(this.#layer.idle(), onSync, signal);
  }

  async #act(request: ArrayRequest, onSync: OnSync, signal: AbortSignal): Promise<string[]> {
    switch (request.command) {
      case "detail":
      case "rebuild":
      case "stop":
        return [];
      case "add": {
        const lines: string[] = [];
        // All of them are to be there before a rebuild begins: then one pass is enough.
        this.#layer.pauseSync();
        try {
          for (const path of request.devices) lines.push(await this.#add(path, request.isForced));
        } finally {
          this.#layer.resumeSync();
        }
        return lines;
      }
      case "fail":
        return this.#fail(request.devices);
      case "remove":
        return this.#remove(request.devices);
      case "check": {
        await this.#beforeCheck(onSync, signal);
        const count = (await this.#watch(this.#layer.check(), onSync, signal)) / SECTOR;
        return [
          count === 0
            ? `${mismatches(count)}: everything matches`
            : `${mismatches(count)}: cev raid repair makes them match`,
        ];
      }
      case "repair": {
        await this.#beforeCheck(onSync, signal);
        const count = (await this.#watch(this.#layer.repair(), onSync, signal)) / SECTOR;
        return [
          count === 0 ? `${mismatches(count)}: everything matched` : `${mismatches(count)}: they match now`,
        ];
      }
      case "grow":
        return this.#grow(request.size, request.memberCount, request.isForced);
    }
  }

  /** What is under way comes first: redundancy that is not there yet cannot be looked at. */
  async #beforeCheck(onSync: OnSync, signal: AbortSignal): Promise<void> {
    const { level } = this.#layer.array;
    if (!level.isRedundant)
      throw new CevError("CEV_INVALID", `${level.name} has no redundancy: there is nothing to compare`);
    await this.idle(onSync, signal);
  }

  async #fail(devices: readonly string[]): Promise<string[]> {
    const lines: string[] = [];
    for (const device of devices) {
      const name = this.#nameOf(device);
      await this.#layer.failMember(name);
      lines.push(`${name} has been failed`);
    }
    return lines;
  }

  async #add(path: string, isForced: boolean): Promise<string> {
    const { uuid } = this.detail();
    await using member = await openNewMember(path, uuid, isForced, this.array.stack.environment);
    // Its path where another has that name.
    const name = this.#files.has(member.name) ? member.path : member.name;
    let isBack = member.isOfThisArray;
    if (isBack) {
      try {
        await this.#layer.reAddMember(member.layer, name);
      } catch (error) {
        // What cannot be brought back by the bitmap is rebuilt as a whole.
        if (!isCevError(error) || error.code !== "CEV_INVALID") throw error;
        isBack = false;
      }
    }
    if (!isBack) await this.#layer.addMember(member.layer, name);
    this.#files.set(name, member.path);
    return isBack ? `${name} has been re-added: only what it missed is copied` : `${name} has been added`;
  }

  async #remove(devices: readonly string[]): Promise<string[]> {
    const lines: string[] = [];
    for (const device of devices) {
      const name = this.#nameOf(device);
      const out = this.detail().leftOut.find((one) => one.device === name);
      if (out !== undefined) {
        lines.push(`${name} is no part of the array: it ${out.reason}`);
        continue;
      }
      await this.#layer.removeMember(name);
      this.#files.delete(name);
      // Its file is to be free again, for whoever wants to add it.
      await this.#release(name);
      lines.push(`${name} has been removed`);
    }
    return lines;
  }

  /** Members that were added later are closed by the array itself. */
  async #release(name: string): Promise<void> {
    const { record, stack } = this.array;
    if (record.lowers.some((one) => one.name === name)) await stack.release(name);
  }

  async #grow(size: number | "max" | null, memberCount: number | null, isForced: boolean): Promise<string[]> {
    const lines: string[] = [];
    if (memberCount !== null) {
      const { members, spares } = this.#layer.array;
      const emptyCount = memberCount - members.length - spares.length;
      if (emptyCount > 0 && !isForced) {
        throw new CevError("CEV_INVALID", `${emptyCount} of ${memberCount} places would be empty`, {
          hint: "add spares first with cev raid add, or add --force if that is meant",
        });
      }
      await this.#layer.growMembers(memberCount);
      lines.push(`the array has ${memberCount} places for members now`);
    }
    if (size !== null) {
      const before = this.detail().usedSize;
      await this.#layer.growSize(size);
      const isSame = this.detail().usedSize === before;
      lines.push(
        isSame
          ? "the size has not changed: the members give all they have already"
          : "each member gives more to the array now; whoever opens it anew sees the new size",
      );
    }
    return lines;
  }

  /** Resolves as `work` does, and tells meanwhile how far it is. Ended early, the work is told to stop. */
  async #watch<T>(work: Promise<T>, onSync: OnSync, signal: AbortSignal): Promise<T> {
    const tell = (): void => {
      const sync = syncOf(this.#layer);
      if (sync !== null) onSync(sync);
    };
    const timer = setInterval(tell, PROGRESS_PERIOD_MS);
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort);
    // Whoever is no longer waited for may still fail.
    work.catch(() => undefined);
    try {
      signal.throwIfAborted();
      tell();
      return await Promise.race([work, aborted.promise]);
    } finally {
      clearInterval(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /** The member that is meant by a name, or by the path of its file. */
  #nameOf(device: string): string {
    const left = this.detail().leftOut.map((one) => one.device);
    if (this.#files.has(device) || left.includes(device)) return device;
    const path = placeOf(device);
    const names = [...this.#files].filter(([, file]) => file === path).map(([name]) => name);
    if (names.length === 1) return names[0]!;
    throw new CevError("CEV_NOT_FOUND", `${device} is not a member of ${this.array.record.name}`, {
      hint: `its members are ${[...this.#files.keys()].join(", ")}`,
    });
  }
}

/** Sectors, under the name that md gives to their number. */
const mismatches = (count: number): string =>
  count === 0 ? "mismatch_cnt 0" : `mismatch_cnt ${count}, so many sectors did not match`;
