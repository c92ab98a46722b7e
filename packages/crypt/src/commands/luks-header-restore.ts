import { MetadataError, isCevError } from "@cev/core";
import type { Layer } from "@cev/core";
import { refuseForeign as refuseForeignFormat } from "../header/foreign-signature.ts";
import { headerDevice } from "../header/header-device.ts";
import type { HeaderDevice } from "../header/header-device.ts";
import { luks1ProblemOf } from "../luks1/volume.ts";
import type { HeaderSource } from "../luks2/copies.ts";
import { refuseRequirements } from "../luks2/requirements.ts";
import { invalid, throwIfCancelled } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import { noHeader } from "./edit-header.ts";
import { findHeader } from "./header-extent.ts";
import type { FoundHeader } from "./header-extent.ts";
import { restoreLuks1 } from "./restore-luks1.ts";
import { restoreLuks2 } from "./restore-luks2.ts";
import { headersOn } from "./wipe-former.ts";

/** Settings of `luksHeaderRestore`. */
export interface LuksHeaderRestoreOptions extends CommandOptions {
  /** The backup: a `Device`, or whatever its bytes can be read from. */
  readonly backup: HeaderSource;
  /**
   * Also where there is no header that can be used, one of the other version, or one with another UUID: a device that was
   * something else is lost then. Default false.
   */
  readonly allowForeign?: boolean;
}

/**
 * Puts a header and its keyslots back from a backup. `lower` is open. The passphrases of the backup open the device afterwards,
 * and no others. Cut at any write, a former or a restored passphrase opens as long as there is room for one more keyslot (in
 * LUKS1: and the volume key is the same); else the backup is to be restored once more. Throws `CEV_BAD_METADATA` for a backup
 * that cannot be used, `CEV_INVALID` when it does not fit the device, `CEV_UNKNOWN_FEATURE` when the backup asks for what is not
 * known here; then nothing was written.
 */
export async function luksHeaderRestore(lower: Layer, options: LuksHeaderRestoreOptions): Promise<void> {
  const { backup, environment, signal, allowForeign = false } = options;
  const claim = lower.claims.acquire({ name: "luksHeaderRestore" }, "write", lower.name);
  try {
    const device = headerDevice(lower, environment, options.name);
    const wanted = await findHeader(backup);
    if (wanted === null) throw noHeader(backup.name);
    checkBackup(wanted, backup, device);
    const former = await findFormer(device);
    const same = former !== null && former.version === wanted.version ? former : null;
    if (former !== null) checkFits(wanted, former);
    if (!allowForeign) refuseForeign(wanted, former);
    throwIfCancelled(signal);
    // What is of no use any more must not be found beside the new header.
    if (same === null)
      for (const offset of await headersOn(device)) await device.writeDurably(offset, new Uint8Array(4096));
    if (wanted.version === 1) {
      const isWhole = same?.version === 1 && luks1ProblemOf(same.header) === null;
      await restoreLuks1(device, backup, wanted, isWhole ? same : null);
    } else await restoreLuks2(device, backup, wanted, same?.version === 2 ? same : null);
    options.onProgress?.({ step: "write", done: wanted.length, total: wanted.length });
  } finally {
    claim.release();
  }
}

function checkBackup(wanted: FoundHeader, backup: HeaderSource, device: HeaderDevice): void {
  if (wanted.version === 2) refuseRequirements(wanted.copies.root.member("config"));
  if (wanted.version === 1) {
    const problem = luks1ProblemOf(wanted.header);
    if (problem !== null)
      throw new MetadataError(problem, { source: backup.name, structure: "LUKS1 header", byteOffset: 0 });
  }
  if (wanted.length > backup.size)
    throw new MetadataError(`the backup ends at byte ${backup.size}, its keyslots at byte ${wanted.length}`, {
      source: backup.name,
      structure: "LUKS header backup",
      hint: "is the file complete?",
    });
  if (wanted.length > device.size)
    throw invalid(`the header takes ${wanted.length} bytes, the device has ${device.size}`);
}

const UNUSABLE: ReadonlySet<string> = new Set(["CEV_BAD_METADATA", "CEV_UNKNOWN_FEATURE", "CEV_AMBIGUOUS"]);

/** Null: none that can be used; a second copy behind something else is a leftover. */
async function findFormer(device: HeaderDevice): Promise<FoundHeader | null> {
  try {
    const found = await findHeader(device);
    if (found?.version === 2) await refuseForeignFormat(device, found.copies);
    return found;
  } catch (error) {
    if (isCevError(error) && UNUSABLE.has(error.code)) return null;
    throw error;
  }
}

/** What would be lost for good is refused, whoever asks for it. */
function checkFits(wanted: FoundHeader, former: FoundHeader): void {
  if (dataOffsetOf(wanted) !== dataOffsetOf(former)) throw differs("data offset");
  if (wanted.version === 1 && former.version === 1) {
    if (former.header.keySize !== wanted.header.keySize) throw differs("key size");
  }
  if (wanted.version === 2 && former.version === 2) {
    const sizes = [wanted, former].map(({ copies, length }) => `${copies.header.headerSize}/${length}`);
    if (sizes[0] !== sizes[1]) throw differs("size of header and keyslots");
  }
}

function dataOffsetOf(found: FoundHeader): number {
  if (found.version === 1) return found.header.payloadOffset;
  const segments = found.copies.root.member("segments");
  const first = segments.member("0").member("offset");
  return first.isMissing ? 0 : first.decimal();
}

function differs(what: string): Error {
  return invalid(`the ${what} differs between the device and the backup: nothing would be readable`);
}

function refuseForeign(wanted: FoundHeader, former: FoundHeader | null): void {
  const hint = "if it is the right device all the same, say so (allowForeign)";
  if (former === null) throw invalid("there is no LUKS header on the device that could be used", hint);
  if (former.version !== wanted.version)
    throw invalid(`the device is LUKS${former.version}, the backup LUKS${wanted.version}`, hint);
  if (uuidOf(wanted) !== uuidOf(former))
    throw invalid(`the backup is of ${uuidOf(wanted)}, the device is ${uuidOf(former)}`, hint);
}

function uuidOf(found: FoundHeader): string {
  return found.version === 1 ? found.header.uuid : found.copies.header.uuid;
}
