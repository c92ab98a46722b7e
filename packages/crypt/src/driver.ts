import { CevError, INTERFACE_VERSION, readBytes } from "@cev/core";
import type { Device, Driver, Finding, OpenContext, OpenedDevice } from "@cev/core";
import { CryptLayer } from "./crypt-layer.ts";
import { detailsOf, summarize } from "./luks-details.ts";
import { readLuksVolume } from "./luks-open.ts";
import type { HeaderSource } from "./luks2-copies.ts";
import { cryptOptions, cryptOptionsSchema } from "./options.ts";
import type { CryptOptions } from "./options.ts";
import { wipe } from "./secret.ts";
import { unlockVolume } from "./unlock.ts";

/** Opens LUKS2 devices: `driver: "@cev/crypt"` in a stack file. */
export const cryptDriver: Driver<CryptOptions> = {
  name: "@cev/crypt",
  interfaceVersion: INTERFACE_VERSION,
  summary: "LUKS2: the plaintext of an encrypted device",
  options: cryptOptions,
  optionsSchema: cryptOptionsSchema,
  lowers: { countMin: 1, countMax: 1 },
  probe,
  open,
};

async function probe(device: Device): Promise<Finding | null> {
  const found = await readLuksVolume(device);
  if (found === null) return null;
  const { volume, problem } = found;
  return {
    summary: problem === null ? summarize(volume) : `${summarize(volume)} (one header copy is damaged)`,
    group: null,
    details: { ...detailsOf(volume), ...(problem === null ? {} : { problem }) },
  };
}

async function open(context: OpenContext<CryptOptions>): Promise<readonly OpenedDevice[]> {
  const { environment, options } = context;
  const { name, layer: lower } = context.lowers[0]!;
  const source: HeaderSource = {
    name,
    size: lower.limits.size,
    read: (offset, length) => readBytes(lower, environment, offset, length),
  };
  const found = await readLuksVolume(source);
  if (found === null) {
    throw new CevError("CEV_BAD_METADATA", "there is no LUKS header here", { source: name, byteOffset: 0 });
  }
  const { volume, problem } = found;
  if (problem !== null)
    context.report({
      severity: "warning",
      code: "CEV_BAD_METADATA",
      message: `${name}: ${problem}`,
      device: name,
    });
  const { volumeKey, keyslotId } = await unlockVolume(volume, source, context.keySource.keys, options.kdf);
  try {
    const layer = new CryptLayer(lower, {
      environment,
      segment: volume.segment,
      volumeKey,
      allowDiscards: options.allowDiscards ?? volume.flags.includes("allow-discards"),
      isReadOnly: context.isReadOnly,
      describedOptions: describeOptions(options),
    });
    return [
      {
        name: `luks/${volume.uuid}`,
        layer,
        state: "active",
        details: { ...detailsOf(volume), keyslot: keyslotId },
      },
    ];
  } finally {
    wipe(volumeKey);
  }
}

/** The options as they stand in a stack file, from which the stack reads the key files. Paths are no secrets. */
function describeOptions(options: CryptOptions): OpenedDevice["details"] {
  return {
    ...(options.passphrase === null ? {} : { passphrase: { file: options.passphrase.file } }),
    ...(options.keyFile === null ? {} : { keyFile: options.keyFile }),
    ...(options.allowDiscards === null ? {} : { allowDiscards: options.allowDiscards }),
    kdfMemoryMax: options.kdf.memoryMax,
    kdfWorkMax: options.kdf.workMax,
    kdfIterationsMax: options.kdf.iterationsMax,
  };
}
