import { CevError, INTERFACE_VERSION, isCevError } from "@cev/core";
import type { Details, Device, Driver, Finding, NamedLayer, OpenContext, OpenedDevice } from "@cev/core";
import { detailsOf, summarize } from "./header/details.ts";
import { readLuksVolume } from "./header/read-volume.ts";
import { wipe } from "./key/secret.ts";
import { DETACHED_HINT, openLuks } from "./open-luks.ts";
import type { OpenedLuks } from "./open-luks.ts";
import { cryptOptions, cryptOptionsSchema } from "./options.ts";
import type { CryptOptions } from "./options.ts";
import { openPlain } from "./plain/open-plain.ts";
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

/** How often a person is asked before it is given up, as by cryptsetup. */
const ATTEMPTS_MAX = 3;

async function probe(device: Device): Promise<Finding | null> {
  const found = await readLuksVolume(device);
  if (found === null) return null;
  const { volume, problem, isDetached } = found;
  const remark =
    problem !== null ? " (one header copy is damaged)" : isDetached ? " (a detached header)" : "";
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

async function open(context: OpenContext<CryptOptions>): Promise<readonly OpenedDevice[]> {
  const [data, header] = context.lowers as readonly [NamedLayer, NamedLayer?];
  const { plain } = context.options;
  if (plain === null) return [await openHeader(context, data, header)];
  if (header !== undefined) {
    const message = "a plain device has no header, and two devices are named";
    throw new CevError("CEV_INVALID", message, { source: data.name, hint: "name the encrypted one alone" });
  }
  return [await openWithoutHeader(context, data, plain)];
}

async function openHeader(
  context: OpenContext<CryptOptions>,
  data: NamedLayer,
  header: NamedLayer | undefined,
): Promise<OpenedDevice> {
  const { environment, options, isReadOnly, keySource, signal } = context;
  const { name } = header ?? data;
  const openWith = (keys: readonly Uint8Array[], report?: (problem: string) => void): Promise<OpenedLuks> =>
    openLuks(data.layer, {
      environment,
      name,
      header: header?.layer,
      isReadOnly,
      keys,
      keyslot: options.keyslot ?? undefined,
      kdfLimits: options.kdf,
      signal,
      vault: keySource.vault,
      ...(options.allowDiscards === null ? {} : { allowDiscards: options.allowDiscards }),
      describedOptions: describeOptions(options),
      ...(report === undefined ? {} : { report }),
    });
  const report = (problem: string): void =>
    context.report({
      severity: "warning",
      code: "CEV_BAD_METADATA",
      message: `${name}: ${problem}`,
      device: name,
    });
  const { layer, volume, keyslotId } = await withAnswers(context, data.name, {
    open: (keys) => openWith(keys, report),
    again: openWith,
  });
  const details = { ...detailsOf(volume), keyslot: keyslotId };
  return { name: `luks/${volume.uuid}`, layer, state: "active", details };
}

/** Opens with the keys that were given; where there are none, a person is asked until an answer fits. */
async function withAnswers<Opened>(
  { keySource, signal }: OpenContext<CryptOptions>,
  name: string,
  attempts: {
    readonly open: (keys: readonly Uint8Array[]) => Promise<Opened>;
    readonly again: (keys: readonly Uint8Array[]) => Promise<Opened>;
  },
): Promise<Opened> {
  let failure: unknown;
  try {
    return await attempts.open(keySource.keys);
  } catch (error) {
    if (!hasCode(error, "CEV_KEY_REQUIRED") || keySource.ask === undefined) throw error;
    failure = error;
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (signal?.aborted === true) throw new CevError("CEV_CANCELLED", "asking for a key was cancelled");
    const answer = await keySource.ask({ name, attempt });
    if (answer === null) throw failure;
    try {
      return await attempts.again([answer]);
    } catch (error) {
      if (!hasCode(error, "CEV_WRONG_KEY")) throw error;
      failure = error;
    } finally {
      wipe(answer);
    }
  }
  throw failure;
}

async function openWithoutHeader(
  context: OpenContext<CryptOptions>,
  { name, layer: lower }: NamedLayer,
  plain: PlainSettings,
): Promise<OpenedDevice> {
  const { environment, options, isReadOnly } = context;
  const openWith = ([key]: readonly Uint8Array[]): ReturnType<typeof openPlain> =>
    openPlain(lower, {
      environment,
      ...plain,
      ...keyOf(context, key),
      name,
      isReadOnly,
      allowDiscards: options.allowDiscards ?? false,
      describedOptions: describeOptions(options),
    });
  checkOneKey(context, name);
  const layer = await withAnswers(context, name, {
    open: (keys) => Promise.resolve().then(() => openWith(keys)),
    again: (keys) => Promise.resolve().then(() => openWith(keys)),
  });
  return { name: null, layer, state: "active", details: { version: "plain", ...describePlain(plain) } };
}

/** Nothing tells which of several keys is the right one. Those of the device's own entry come first. */
function checkOneKey({ keySource, options }: OpenContext<CryptOptions>, source: string): void {
  const isOwn = options.passphrase !== null || options.keyFile !== null;
  const isTwice = options.passphrase !== null && options.keyFile !== null;
  if (!isTwice && (isOwn || keySource.keys.length <= 1)) return;
  throw new CevError("CEV_AMBIGUOUS", "of several keys nothing tells which one opens a plain device", {
    source,
    hint: "give one passphrase or one key file",
  });
}

function keyOf(
  { keySource }: OpenContext<CryptOptions>,
  key: Uint8Array | undefined,
): { readonly passphrase?: Uint8Array; readonly key?: Uint8Array } {
  if (key === undefined) return {};
  return keySource.keyFiles?.includes(key) === true ? { key } : { passphrase: key };
}

function describePlain({
  cipher,
  keySize,
  offset,
  size,
  skip,
  sectorSize,
  largeIvs,
}: PlainSettings): Details {
  return { cipher, keyBits: keySize * 8, sectorSize, dataOffset: offset, dataSize: size, skip, largeIvs };
}

/** The options as they stand in a stack file, from which the stack reads the key files. Paths are no secrets. */
function describeOptions(options: CryptOptions): Details {
  const { passphrase, keyFile, keyFileOffset, keyFileSize, allowDiscards, keyslot, plain, kdf } = options;
  return {
    ...(passphrase === null ? {} : { passphrase: { file: passphrase.file } }),
    ...(keyFile === null ? {} : { keyFile }),
    ...(keyFileOffset === null ? {} : { keyFileOffset }),
    ...(keyFileSize === null ? {} : { keyFileSize }),
    ...(allowDiscards === null ? {} : { allowDiscards }),
    ...(keyslot === null ? {} : { keyslot }),
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

const hasCode = (error: unknown, code: string): boolean => isCevError(error) && error.code === code;
