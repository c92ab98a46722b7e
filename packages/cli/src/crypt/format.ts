import { Device } from "@cev/core";
import { luksDump, luksFormat, luksHeaderLength } from "@cev/crypt";
import type { LuksFormatOptions } from "@cev/crypt";
import type { BigIntStats } from "node:fs";
import { stat, unlink } from "node:fs/promises";
import { ExitStatus } from "../exit-status.ts";
import { UsageError } from "../usage-error.ts";
import { confirm } from "./confirm.ts";
import { costOf } from "./cost.ts";
import type { CostOptions, KeyOptions } from "./crypt-options.ts";
import { parseBytes, parseCipherName, parseKeyBits, parseSectors, parseType, parseWhole } from "./parse.ts";
import { isVerified, readExisting, readVolumeKey } from "./read-keys.ts";
import { inSession } from "./session.ts";
import type { Common, Session } from "./session.ts";
import type { Target } from "./target.ts";
import { withoutUndefined } from "./without-undefined.ts";

/** Options of `cev crypt luksFormat`. */
export interface FormatOptions extends KeyOptions, CostOptions {
  readonly cipher?: string;
  readonly keySize?: string;
  readonly keySlot?: string;
  readonly sectorSize?: string;
  readonly label?: string;
  readonly subsystem?: string;
  readonly uuid?: string;
  readonly offset?: string;
  readonly alignPayload?: string;
  readonly luks2MetadataSize?: string;
  readonly luks2KeyslotsSize?: string;
  readonly keyslotCipher?: string;
  readonly keyslotKeySize?: string;
  readonly volumeKeyFile?: string;
  readonly masterKeyFile?: string;
  readonly makeImages?: string;
}

type FormatSettings = Omit<LuksFormatOptions, "environment" | "keys">;

const CRYPT_DRIVER = "@cev/crypt";
/** Where formats with a record at the end have it. */
const END_LENGTH = 1 << 20;

/** `cev crypt luksFormat`: a new header, and the first passphrase. */
export async function format(
  word: string,
  keyWord: string | undefined,
  options: FormatOptions,
): Promise<ExitStatus> {
  const settings = settingsOf(options);
  const imageSize = parseBytes(options.makeImages, "--make-images");
  const place = options.header ?? word;
  if (options.header !== undefined && (await isSameFile(options.header, word)))
    throw new UsageError("--header names the device itself: its header would be written over its data");
  let made: string | null = null;
  try {
    await inSession(options, async (session) => {
      await using data = options.header === undefined ? null : await session.open(word, { isReadOnly: true });
      const headerSize = data === null ? imageSize : luksHeaderLength(settings);
      const request = { isReadOnly: false, isNew: true, imageSize: headerSize };
      await using target =
        options.header === undefined
          ? await session.open(word, request)
          : await session.openFile(options.header, request);
      if (target.isMade) made = place;
      else await confirm(session.keys, warningOf(target), options);
      const passphrase = await readExisting(
        session.keys,
        { ...options, verifyPassphrase: isVerified(options) },
        `Enter passphrase for ${word}: `,
        keyWord,
      );
      const uuid = await make(session, target, passphrase, options, {
        ...settings,
        ...(data === null ? {} : { data: data.layer }),
      });
      session.answer(`${place}: LUKS${settings.version ?? 2} ${uuid}`, {
        command: "luksFormat",
        device: place,
        version: settings.version ?? 2,
        uuid,
      });
    });
  } catch (error) {
    if (made !== null) await unlink(made).catch(() => undefined);
    throw error;
  }
  return ExitStatus.done;
}

async function isSameFile(one: string, other: string): Promise<boolean> {
  const look = (path: string): Promise<BigIntStats | null> => stat(path, { bigint: true }).catch(() => null);
  const [left, right] = [await look(one), await look(other)];
  return left !== null && left.dev === right?.dev && left.ino === right.ino;
}

async function make(
  session: Session,
  target: Target,
  passphrase: Uint8Array,
  options: FormatOptions,
  settings: FormatSettings,
): Promise<string> {
  const volumeKey = await readVolumeKey(options, settings.keySize);
  try {
    const common = session.common(target);
    const uuid = await luksFormat(target.layer, {
      ...common,
      ...settings,
      keys: [passphrase],
      ...(volumeKey === null ? {} : { volumeKey }),
    });
    // Only now: a format that is refused leaves everything as it was.
    if (settings.data === undefined) await clearEnd(target, common);
    return uuid;
  } finally {
    volumeKey?.fill(0);
  }
}

/** What is not LUKS may be recognised by what stands at the device's end, which the header does not reach. */
async function clearEnd({ content, layer, environment }: Target, common: Common): Promise<void> {
  if (content === null || content.driver === CRYPT_DRIVER) return;
  const dump = await luksDump(layer, common);
  const dataOffset = dump.version === 1 ? dump.payloadOffset : (dump.segments[0]?.offset ?? 0);
  const { size } = layer.limits;
  const device = await Device.open(layer, environment);
  try {
    const start = Math.max(dataOffset, size - END_LENGTH);
    await device.writeZeroes(start, size - start);
    await device.flush();
  } finally {
    await device.close();
  }
}

function warningOf({ name, content }: Target): string {
  const lost = `This will overwrite data on ${name} irrevocably.`;
  return content === null ? lost : `${name} carries something already: ${content.summary}. ${lost}`;
}

function settingsOf(options: FormatOptions): FormatSettings {
  const version = parseType(options.type) ?? 2;
  const luks2 = { "--label": options.label, "--subsystem": options.subsystem };
  for (const [name, value] of Object.entries(luks2))
    if (version === 1 && value !== undefined) throw new UsageError(`${name} is only for luks2`);
  if (options.offset !== undefined && options.alignPayload !== undefined)
    throw new UsageError("give either --offset or --align-payload");
  const settings = {
    version,
    encryption: parseCipherName(options.cipher),
    keySize: parseKeyBits(options.keySize, "--key-size"),
    hash: options.hash,
    sectorSize: parseWhole(options.sectorSize, "--sector-size", { min: 512, max: 4096 }),
    label: options.label,
    subsystem: options.subsystem,
    uuid: options.uuid,
    dataOffset: parseSectors(options.offset, "--offset"),
    alignment: parseSectors(options.alignPayload, "--align-payload"),
    metadataSize: parseBytes(options.luks2MetadataSize, "--luks2-metadata-size"),
    keyslotsSize: parseBytes(options.luks2KeyslotsSize, "--luks2-keyslots-size"),
    keyslot: parseWhole(options.keySlot, "--key-slot", { min: 0, max: version === 1 ? 7 : 31 }),
    keyslotEncryption: parseCipherName(options.keyslotCipher),
    keyslotKeySize: parseKeyBits(options.keyslotKeySize, "--keyslot-key-size"),
    cost: costOf(options, version),
  };
  return withoutUndefined(settings);
}
