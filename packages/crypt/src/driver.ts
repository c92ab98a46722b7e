import { INTERFACE_VERSION } from "@cev/core";
import type { Device, Driver, Finding, OpenContext, OpenedDevice } from "@cev/core";
import { detailsOf, summarize } from "./header/details.ts";
import { openLuks } from "./open-luks.ts";
import { cryptOptions, cryptOptionsSchema } from "./options.ts";
import type { CryptOptions } from "./options.ts";
import { readLuksVolume } from "./header/read-volume.ts";

/** Opens LUKS devices: `driver: "@cev/crypt"` in a stack file. */
export const cryptDriver: Driver<CryptOptions> = {
  name: "@cev/crypt",
  interfaceVersion: INTERFACE_VERSION,
  summary: "LUKS1 and LUKS2: the plaintext of an encrypted device",
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
  const { environment, options, isReadOnly } = context;
  const { name, layer: lower } = context.lowers[0]!;
  const { layer, volume, keyslotId } = await openLuks(lower, {
    environment,
    name,
    isReadOnly,
    keys: context.keySource.keys,
    kdfLimits: options.kdf,
    ...(options.allowDiscards === null ? {} : { allowDiscards: options.allowDiscards }),
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
  return [{ name: `luks/${volume.uuid}`, layer, state: "active", details }];
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
