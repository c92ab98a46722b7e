import { CevError, INTERFACE_VERSION, isCevError } from "@cev/core";
import type { Details, Device, Driver, Finding, NamedLayer, OpenContext, OpenedDevice } from "@cev/core";
import { describeLuks2 } from "./commands/describe-luks2.ts";
import type { DumpedSegment } from "./commands/describe-luks2.ts";
import { detailsOf, printable, summarize } from "./header/details.ts";
import { readLuksVolume } from "./header/read-volume.ts";
import { readLuks2Dump } from "./luks2/describe.ts";
import { DETACHED_HINT, openLuks } from "./open-luks.ts";
import { cryptOptions, cryptOptionsSchema } from "./options.ts";
import type { CryptOptions } from "./options.ts";
import { openPlainEntry } from "./plain/open-plain-entry.ts";
import type { PlainSettings } from "./plain/plain-settings.ts";

/** Opens LUKS and plain dm-crypt devices: `driver: "@cev/crypt"` in a stack file. */
export const cryptDriver: Driver<CryptOptions> = {
  name: "@cev/crypt",
  interfaceVersion: INTERFACE_VERSION,
  summary: "LUKS1, LUKS2 and plain dm-crypt: the plaintext of an encrypted device",
  options: cryptOptions,
  optionsSchema: cryptOptionsSchema,
  // The encrypted device, and the one of a detached header.
  lowers: { countMin: 1, countMax: 2 },
  probe,
  open,
};

async function probe(device: Device): Promise<Finding | null> {
  let found: Awaited<ReturnType<typeof readLuksVolume>>;
  try {
    found = await readLuksVolume(device);
  } catch (error) {
    if (isCevError(error) && error.code === "CEV_UNKNOWN_FEATURE") return findClosed(device, error);
    // Something else is written over it: that is what the device carries.
    if (isCevError(error) && error.code === "CEV_AMBIGUOUS") return null;
    throw error;
  }
  if (found === null) return null;
  const { volume, problem, isDetached } = found;
  const damage = volume.version === 1 ? " (its header is damaged)" : " (one header copy is damaged)";
  const remark = problem !== null ? damage : isDetached ? " (a detached header)" : "";
  return {
    summary: summarize(volume) + remark,
    group: null,
    details: { ...detailsOf(volume), isDetached, ...(problem === null ? {} : { problem }) },
    ...(isDetached
      ? {
          closed: {
            severity: "warning",
            code: "CEV_INVALID",
            message: `${device.name}: this is a detached header of LUKS${volume.version} ${volume.uuid}; the data is on another device; ${DETACHED_HINT}`,
            device: device.name,
          },
        }
      : {}),
  };
}

/** A header that asks for what is not known here: it is shown all the same, with why it is not opened. */
async function findClosed(device: Device, error: CevError): Promise<Finding> {
  const { version, uuid, label, jsonText } = await readLuks2Dump(device);
  const { requirements, segments } = describeLuks2(jsonText);
  return {
    summary: `LUKS${version} ${uuid} (${stateOf(requirements, segments)})`,
    group: null,
    details: {
      version,
      uuid,
      label: printable(label),
      requirements: requirements.map(printable),
      ciphers: segments.map(({ encryption }) => printable(encryption ?? "")),
    },
    closed: {
      severity: "error",
      code: error.code,
      message: `${device.name}: ${error.message}`,
      device: device.name,
    },
  };
}

/** Why it is not opened, in as few words as fit a line. */
function stateOf(requirements: readonly string[], segments: readonly DumpedSegment[]): string {
  if (requirements.some((name) => name.includes("reencrypt"))) return "being reencrypted";
  const hasTags =
    requirements.includes("inline-hw-tags") || segments.some(({ integrity }) => integrity !== null);
  return hasTags ? "with integrity tags" : "cannot be opened here";
}

async function open(context: OpenContext<CryptOptions>): Promise<readonly OpenedDevice[]> {
  const [data, header] = context.lowers as readonly [NamedLayer, NamedLayer?];
  const { plain } = context.options;
  if (plain === null) return [await openHeader(context, data, header)];
  if (header !== undefined) {
    const message = "a plain device has no header, and two devices are named";
    throw new CevError("CEV_INVALID", message, { source: data.name, hint: "name the encrypted one alone" });
  }
  return [await openPlainEntry(context, data, plain, describeOptions(context.options))];
}

async function openHeader(
  context: OpenContext<CryptOptions>,
  data: NamedLayer,
  header: NamedLayer | undefined,
): Promise<OpenedDevice> {
  const { environment, options, isReadOnly, keySource, signal } = context;
  const { name } = header ?? data;
  const { layer, volume, keyslotId } = await openLuks(data.layer, {
    environment,
    name,
    header: header?.layer,
    isReadOnly,
    keys: keySource.keys,
    ask: keySource.ask,
    vault: keySource.vault,
    keyslot: options.keyslot ?? undefined,
    version: options.version ?? undefined,
    kdfLimits: options.kdf,
    signal,
    onWork: context.onWork,
    ...(options.allowDiscards === null ? {} : { allowDiscards: options.allowDiscards }),
    ...(options.backend === null ? {} : { backend: options.backend }),
    describedOptions: describeOptions(options),
    report: (problem) =>
      context.report({
        severity: "warning",
        code: "CEV_BAD_METADATA",
        message: `${name}: ${problem}`,
        device: name,
      }),
  });
  const details = { ...detailsOf(volume), keyslot: keyslotId };
  return { name: `luks/${volume.uuid}`, layer, state: "active", details };
}

/** The options as they stand in a stack file, from which the stack reads the key files. Paths are no secrets. */
function describeOptions(options: CryptOptions): Details {
  const { passphrase, keyFile, keyFileOffset, keyFileSize, keyslot, plain, kdf } = options;
  const { allowDiscards, backend, version } = options;
  return {
    ...(passphrase === null ? {} : { passphrase: { file: passphrase.file } }),
    ...(keyFile === null ? {} : { keyFile }),
    ...(keyFileOffset === null ? {} : { keyFileOffset }),
    ...(keyFileSize === null ? {} : { keyFileSize }),
    ...(allowDiscards === null ? {} : { allowDiscards }),
    ...(backend === null ? {} : { backend }),
    ...(keyslot === null ? {} : { keyslot }),
    ...(version === null ? {} : { version }),
    ...(plain === null ? {} : { plain: withoutNull(plain) }),
    kdfMemoryMax: kdf.memoryMax,
    kdfWorkMax: kdf.workMax,
    kdfIterationsMax: kdf.iterationsMax,
  };
}

function withoutNull(plain: PlainSettings): Details {
  const { hash, size, ...others } = plain;
  return { ...others, ...(hash === null ? {} : { hash }), ...(size === null ? {} : { size }) };
}
