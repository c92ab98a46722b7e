import { CevError, closeTree, openTree, readBytes } from "@cev/core";
import type { Layer } from "@cev/core";
import { readSuperblock } from "../metadata/member-scan.ts";
import { FeatureFlag } from "../metadata/superblock-features.ts";
import { ownRole } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import { checkBlocks } from "./array-limits.ts";
import type { BackgroundSync } from "./background-sync.ts";
import type { Member, MemberDevice } from "./member.ts";
import type { MetadataKeeper } from "./metadata-keeper.ts";
import { newMemberSuperblock, refuseForeignUse, wipeOldSuperblocks } from "./new-member.ts";
import type { RequestGate } from "./request-gate.ts";
import type { RunningArray } from "./running-array.ts";
import { freeDeviceNumber } from "./superblock-update.ts";

const SECTOR = 512;

/** What a `Membership` is made of. */
export interface MembershipOptions {
  readonly array: RunningArray;
  readonly keeper: MetadataKeeper;
  readonly gate: RequestGate;
  readonly sync: BackgroundSync;
  /** The layer of the array stands on one more from now on. */
  readonly addLower: (layer: Layer) => void;
  readonly removeLower: (layer: Layer) => void;
}

/** Members come and go at work, by mdadm's rules. */
export class Membership {
  readonly #options: MembershipOptions;
  readonly #array: RunningArray;
  readonly #keeper: MetadataKeeper;
  // One change at a time.
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#array = options.array;
    this.#keeper = options.keeper;
  }

  /** Runs a change when all that were asked for before have ended. */
  inTurn(run: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(run);
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Fails a member or a spare. */
  fail(which: string | number): Promise<void> {
    return this.inTurn(async () => {
      const found = this.#find(which);
      const { member, device } = found;
      const cause = new CevError("CEV_IO", "it was set faulty by request", { source: device.name });
      if (member === null) {
        if (this.#array.faulty.includes(device)) return;
        this.#array.failSpare(device, cause);
      } else {
        if (!member.takesWrites) return;
        if (member.isInSync && !this.#array.canLose(member))
          throw new CevError("CEV_DEGRADED", `the array cannot do without ${device.name}`, {
            source: device.name,
            hint: "add another member and let it be rebuilt first",
          });
        this.#array.failMember(member, cause);
      }
      await this.#settled();
    });
  }

  /** Takes out what has failed, or is a spare. */
  remove(which: string | number): Promise<void> {
    return this.inTurn(async () => {
      const { member, device } = this.#find(which);
      refuseInUse(member, device);
      const { gate, sync, removeLower } = this.#options;
      await sync.between(async () => {
        await gate.quiesce(() => {
          // A spare that was stepping in may have taken its place meanwhile, or it may have stepped in itself.
          const place = this.#array.members.find((one) => one.device === device) ?? null;
          refuseInUse(place, device);
          if (place === null) this.#array.dropDevice(device);
          else this.#array.clearMember(place, false);
        });
        await this.#keeper.update();
      });
      removeLower(device.layer);
      await closeTree(device.layer);
    });
  }

  /** Adds a device as a spare with a superblock of its own. */
  add(layer: Layer, name: string): Promise<void> {
    return this.inTurn(async () => {
      const { environment } = this.#array;
      this.#refuseKnown(layer, name);
      if (!this.#array.level.isRedundant)
        throw new CevError("CEV_INVALID", `${this.#array.name} takes no spares: it could not be rebuilt`, {
          source: name,
          hint: "make a new array of more members",
        });
      await this.#withLower(layer, async () => {
        await refuseForeignUse({ name, layer }, this.#keeper.base.arrayUuid, environment);
        const base = this.#keeper.base;
        const superblock = newMemberSuperblock({
          base,
          intents: this.#keeper.intents,
          name,
          deviceSize: layer.limits.size,
          deviceNumber: freeDeviceNumber({ array: this.#array, base }),
          environment,
        });
        const device: MemberDevice = { name, layer, superblock };
        this.#checkFit(device);
        await wipeOldSuperblocks(device, environment);
        this.#array.addSpare(device);
        try {
          await this.#keeper.update();
        } catch (error) {
          this.#array.dropDevice(device);
          throw error;
        }
        // Spares that cannot be written fail at once: whoever adds one wants to know.
        if (this.#array.faulty.includes(device)) {
          this.#array.dropDevice(device);
          throw new CevError("CEV_IO", `the superblock of ${name} could not be written`, { source: name });
        }
      });
      this.#options.sync.changed();
    });
  }

  /** Brings back a device that was a member. */
  reAdd(layer: Layer, name: string): Promise<void> {
    return this.inTurn(async () => {
      this.#refuseKnown(layer, name);
      const { gate, sync } = this.#options;
      await this.#withLower(layer, async () => {
        const { environment } = this.#array;
        const read = (offset: number, length: number): Promise<Uint8Array> =>
          readBytes(layer, environment, offset, length);
        const superblock = await readSuperblock({ source: name, size: layer.limits.size, read });
        if (superblock === null) throw this.#cannotReAdd(name, "it has no md superblock");
        const device: MemberDevice = { name, layer, superblock };
        const member = this.#placeOf(device);
        this.#checkFit(device);
        await sync.between(async () => {
          await this.#keeper.leaveBehind();
          await gate.quiesce(() => {
            if (member.takesWrites) throw this.#cannotReAdd(name, "its place has been taken");
            this.#array.fillMember(member, device, 0, true);
          });
          this.#keeper.rewriteBitmap();
          await this.#keeper.update();
        });
      });
    });
  }

  /** The place that a device had and can have again; throws where it cannot come back. */
  #placeOf({ name, superblock }: MemberDevice): Member {
    const { base, intents } = this.#keeper;
    if (superblock.arrayUuid !== base.arrayUuid)
      throw this.#cannotReAdd(name, `it belongs to array ${superblock.arrayUuid}`);
    if (superblock.version !== base.version || superblock.sizeSectors !== base.sizeSectors)
      throw this.#cannotReAdd(name, "the array has changed its shape since");
    const member = this.#array.members[ownRole(superblock)];
    if (member === undefined) throw this.#cannotReAdd(name, "it was not an active member");
    if (member.takesWrites)
      throw this.#cannotReAdd(name, `its place, active device ${member.index}, is taken`);
    if ((superblock.features & FeatureFlag.recovery) !== 0)
      throw this.#cannotReAdd(name, "it had not been rebuilt to its end");
    if (!this.#array.members.some((one) => one.isInSync && knows(superblock, one)))
      throw this.#cannotReAdd(
        name,
        "it knows none of those in use as a member, and may have been written to apart from them",
      );
    const { eventCount, deviceUuid, deviceNumber } = superblock;
    const known = base.old === null ? this.#array.members.map(({ device }) => device) : [];
    const other = [...known, ...this.#array.spares, ...this.#array.faulty].find(
      (one) => one !== null && base.old === null && one.superblock.deviceNumber === deviceNumber,
    );
    if (other !== undefined && other !== null && other.superblock.deviceUuid !== deviceUuid)
      throw this.#cannotReAdd(name, `${other.name} has been given its number`);
    if (eventCount > this.#keeper.eventCount)
      throw this.#cannotReAdd(name, "it is newer than the array: it was used apart");
    if (intents === null) {
      if (eventCount !== this.#keeper.eventCount)
        throw this.#cannotReAdd(name, "the array has no bitmap that says what it missed");
    } else if (eventCount < intents.head.clearedEventCount) {
      throw this.#cannotReAdd(name, "the bitmap does not reach back to when it left");
    }
    return member;
  }

  #cannotReAdd(name: string, why: string): CevError {
    return new CevError("CEV_INVALID", `${name} cannot be re-added: ${why}`, {
      source: name,
      hint: "add it instead: then all of it is rebuilt",
    });
  }

  #checkFit(device: MemberDevice): void {
    const { name, layer, superblock } = device;
    checkBlocks(device);
    const { base } = this.#keeper;
    if (superblock.dataSizeSectors < base.sizeSectors)
      throw new CevError(
        "CEV_INVALID",
        `${name} is too small: ${superblock.dataSizeSectors * SECTOR} bytes are left for data, ${base.sizeSectors * SECTOR} are needed`,
        { source: name },
      );
    const blockSize = Math.max(
      ...this.#array.members.map((member) => member.device?.layer.limits.logicalBlockSize ?? 0),
    );
    if (layer.limits.logicalBlockSize > blockSize)
      throw new CevError(
        "CEV_INVALID",
        `${name} has blocks of ${layer.limits.logicalBlockSize} bytes, the array's have ${blockSize}`,
        { source: name, hint: "use a device of smaller blocks" },
      );
    if (layer.support.write === "none")
      throw new CevError("CEV_READ_ONLY", `${name} cannot be written`, { source: name });
  }

  #refuseKnown(layer: Layer, name: string): void {
    const { members, spares, faulty } = this.#array;
    const devices = [
      ...members.flatMap(({ device }) => (device === null ? [] : [device])),
      ...spares,
      ...faulty,
    ];
    if (devices.some((device) => device.layer === layer || device.name === name))
      throw new CevError("CEV_BUSY", `${name} is part of the array already`, {
        source: name,
        hint: "remove it first",
      });
  }

  /** Opens a layer and claims it; where what follows fails it is given back. */
  async #withLower(layer: Layer, run: () => Promise<void>): Promise<void> {
    const { addLower, removeLower } = this.#options;
    await openTree(layer);
    let isClaimed = false;
    try {
      addLower(layer);
      isClaimed = true;
      await run();
    } catch (error) {
      if (isClaimed) removeLower(layer);
      await closeTree(layer);
      throw error;
    }
  }

  #settled(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#keeper.whenSettled((error) => {
        if (error === null) resolve();
        else reject(error);
      }, null);
    });
  }

  #find(which: string | number): { readonly member: Member | null; readonly device: MemberDevice } {
    const { members, spares, faulty } = this.#array;
    for (const member of members) {
      const { device } = member;
      if (device !== null && (member.index === which || device.name === which)) return { member, device };
    }
    const device = [...spares, ...faulty].find(({ name }) => name === which);
    if (device !== undefined) return { member: null, device };
    const what = typeof which === "number" ? `no device as active device ${which}` : `no device ${which}`;
    throw new CevError("CEV_NOT_FOUND", `the array has ${what}`, { layer: this.#array.name });
  }
}

function refuseInUse(member: Member | null, { name }: MemberDevice): void {
  if (member?.takesWrites === true)
    throw new CevError("CEV_BUSY", `${name} is active device ${member.index} of the array`, {
      source: name,
      hint: "fail it first",
    });
}

/**
 * True where a superblock has a member in its place: then that member got all that the superblock's own device was ever
 * given, and what the device lacks is all that can differ.
 */
function knows({ roles, version }: Superblock, { index, device }: Member): boolean {
  // There the number of a member is its place.
  const number = version === "0.90" ? index : device!.superblock.deviceNumber;
  return roles[number] === index;
}
