import { CevError, formatError } from "@cev/core";
import type { Device } from "@cev/core";
import type { AssembledGroup } from "../assemble/assemble.ts";
import { commitText } from "../disk/commit.ts";
import type { CommitPlan } from "../disk/commit-plan.ts";
import { MDA_HEADER_LENGTH } from "../disk/mda.ts";
import { encodeGroupText } from "../model/encode-group.ts";
import { decodeGroup, identifyGroup } from "../model/group.ts";
import type { VolumeGroup } from "../model/group.ts";
import type { Fill } from "./change.ts";
import type { ArchivedText, PlannedWrite } from "./context.ts";
import type { Session } from "./session.ts";

/** Bytes that go to a device. */
export interface DeviceWrite {
  readonly device: Device;
  readonly what: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A text as it is to be written, with the group as whoever reads it will see it. */
export interface NewText {
  readonly text: string;
  readonly group: VolumeGroup;
}

/** The text of a group as it is to become, number one higher, and read back: what is written is what would be accepted. */
export function makeText(session: Session, group: VolumeGroup, seqnoBefore: number, what: string): NewText {
  const { hostname, now } = session.inputs;
  const text = encodeGroupText(
    { ...group, seqno: seqnoBefore + 1 },
    { description: session.context.description ?? what, creationHost: hostname, creationTime: now },
  );
  return { text, group: decodeGroup(identifyGroup(text)) };
}

/** Does the writes of one command in their order, or in a dry run notes them. */
export class Performance {
  readonly #session: Session;
  readonly #writes: PlannedWrite[] = [];
  readonly #warnings: string[] = [];

  constructor(session: Session) {
    this.#session = session;
  }

  get writes(): readonly PlannedWrite[] {
    return this.#writes;
  }

  get warnings(): readonly string[] {
    return this.#warnings;
  }

  get isDryRun(): boolean {
    return this.#session.context.isDryRun === true;
  }

  /** Hands out the text that is about to be replaced. */
  async archive(makeOld: () => ArchivedText): Promise<void> {
    const { context } = this.#session;
    if (!this.isDryRun && context.archive !== undefined) await context.archive(makeOld());
  }

  /** All of these, then a flush of each device: what comes later comes after them, for a power cut, too. */
  async write(writes: readonly DeviceWrite[]): Promise<void> {
    for (const { device, what, offset, bytes } of writes)
      this.#writes.push({ device: device.name, what, offset, length: bytes.length });
    if (this.isDryRun || writes.length === 0) return;
    this.#checkAborted();
    for (const { device, offset, bytes } of writes) await device.write(offset, bytes);
    const devices = new Set(writes.map(({ device }) => device));
    const flushes = await Promise.allSettled([...devices].map((device) => device.flush()));
    // Whoever is told of it may close the devices: nothing may be under way on them then.
    for (const flush of flushes) if (flush.status === "rejected") throw flush.reason;
  }

  /** Contents of new volumes, before these count. */
  async fill(found: AssembledGroup, fills: readonly Fill[]): Promise<void> {
    const writes = fills.map(({ physicalVolume, what, offset, bytes }): DeviceWrite => {
      const scan = this.#session.memberScan(found, physicalVolume.uuid);
      if (scan === null)
        throw new CevError("CEV_DEGRADED", `the physical volume ${physicalVolume.uuid} is missing`);
      return { device: this.#session.deviceOf(scan), what, offset, bytes };
    });
    await this.write(writes);
  }

  /** Puts a text in force. `session`: whose look at the devices the plan was made from; by default the command's. */
  async commit(plan: CommitPlan, session: Session = this.#session): Promise<void> {
    this.#note(plan);
    if (this.isDryRun) return;
    const failed = await commitText(plan, {
      deviceOf: (scan) => session.deviceOf(scan),
      signal: session.context.signal,
    });
    for (const { area, error } of failed)
      this.#warnings.push(
        `metadata area ${area.area.index} of ${area.scan.source.name} did not get the new text: ${formatError(error)}`,
      );
  }

  #note({ areas, skipped }: CommitPlan): void {
    for (const { scan, area, header, textWrites } of areas) {
      const device = scan.source.name;
      for (const { offset, bytes } of textWrites)
        this.#writes.push({
          device,
          what: `text in metadata area ${area.index}`,
          offset,
          length: bytes.length,
        });
      this.#writes.push({
        device,
        what: `header of metadata area ${area.index}`,
        offset: header.start,
        length: MDA_HEADER_LENGTH,
      });
    }
    for (const { scan, area, reason } of skipped)
      if (reason === "damaged")
        this.#warnings.push(
          `metadata area ${area.index} of ${scan.source.name} is damaged and was left out; see vgck --updatemetadata`,
        );
  }

  #checkAborted(): void {
    if (this.#session.context.signal?.aborted === true)
      throw new CevError("CEV_CANCELLED", "the command was cancelled");
  }
}
