import { CevError } from "@cev/core";
import type { Details, NamedLayer, OpenContext, OpenedDevice } from "@cev/core";
import { withAnswers } from "../ask-for-key.ts";
import { wipe } from "../key/secret.ts";
import type { CryptOptions } from "../options.ts";
import { openPlain, plainKeyOf } from "./open-plain.ts";
import type { PlainSettings } from "./plain-settings.ts";

/** Opens a plain device of a stack: its key is the one that was given, the one that was asked for before, or is asked for. */
export async function openPlainEntry(
  context: OpenContext<CryptOptions>,
  { name, layer: lower }: NamedLayer,
  plain: PlainSettings,
  describedOptions: Details,
): Promise<OpenedDevice> {
  const { environment, options, isReadOnly } = context;
  checkOneKey(context, name);
  const key = await keyOf(context, name, plain);
  try {
    const layer = openPlain(lower, {
      environment,
      ...plain,
      key,
      name,
      isReadOnly,
      allowDiscards: options.allowDiscards ?? false,
      backend: options.backend ?? "openssl",
      describedOptions,
    });
    return { name: null, layer, state: "active", details: detailsOf(plain) };
  } finally {
    wipe(key);
  }
}

/** Nothing tells which of several keys is the right one. Those of the device's own entry come first. */
function checkOneKey({ keySource, options }: OpenContext<CryptOptions>, source: string): void {
  const ownCount = [options.passphrase, options.keyFile].filter((one) => one !== null).length;
  if (ownCount === 1 || (ownCount === 0 && keySource.keys.length <= 1)) return;
  throw new CevError("CEV_AMBIGUOUS", "of several keys nothing tells which one opens a plain device", {
    source,
    hint: "give one passphrase or one key file",
  });
}

/** The caller wipes it. */
async function keyOf(
  { keySource, signal }: OpenContext<CryptOptions>,
  source: string,
  plain: PlainSettings,
): Promise<Uint8Array> {
  const { vault, ask, keyFiles = [] } = keySource;
  const vaultName = `plain:${source}:${plain.hash ?? ""}:${plain.keySize}`;
  const kept = keySource.keys.length === 0 ? (vault?.recall(vaultName) ?? null) : null;
  if (kept !== null) return kept;
  const derive = ([secret]: readonly Uint8Array[]): Promise<Uint8Array> =>
    Promise.resolve().then(() =>
      plainKeyOf(
        secret === undefined ? {} : keyFiles.includes(secret) ? { key: secret } : { passphrase: secret },
        plain,
        source,
      ),
    );
  const key = await withAnswers(keySource.keys, { ask, name: source, signal }, derive);
  vault?.keep(vaultName, key);
  return key;
}

function detailsOf({ cipher, keySize, offset, size, skip, sectorSize, largeIvs }: PlainSettings): Details {
  return {
    version: "plain",
    cipher,
    keyBits: keySize * 8,
    sectorSize,
    dataOffset: offset,
    dataSize: size,
    skip,
    largeIvs,
  };
}
