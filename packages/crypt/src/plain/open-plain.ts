import { CevError } from "@cev/core";
import type { Details, Environment, Layer } from "@cev/core";
import { parseCipher } from "../cipher/cipher-spec.ts";
import type { CryptBackend } from "../cipher/sector-cipher.ts";
import { wipe } from "../key/secret.ts";
import { CryptLayer } from "../layer/crypt-layer.ts";
import { hashPlainPassphrase, plainKeyFromFile } from "./plain-key.ts";
import { checkPlainSettings } from "./plain-settings.ts";
import type { PlainSettings, PlainSettingsGiven } from "./plain-settings.ts";

/** Settings of `openPlain`: those of the device, and one of `passphrase` and `key`. */
export interface OpenPlainOptions extends PlainSettingsGiven {
  readonly environment: Environment;
  /** Is hashed by `hash`. Stays as it is. */
  readonly passphrase?: Uint8Array | undefined;
  /** Contents of a key file: the first `keySize` bytes are the key, as they are. */
  readonly key?: Uint8Array | undefined;
  /** What the user calls the device, for errors. By default the layer's name. */
  readonly name?: string | undefined;
  /** Refuse everything that writes. Default false. */
  readonly isReadOnly?: boolean;
  /** Let discards through. Default false. */
  readonly allowDiscards?: boolean;
  /** How OpenSSL is called. "ffi" is experimental, and means "openssl" where it cannot be had. Default "openssl". */
  readonly backend?: CryptBackend;
  /** What `describe` of the layer says of options. */
  readonly describedOptions?: Details;
}

/**
 * The plaintext of a plain dm-crypt device: no header, so nothing tells a right key or cipher from a wrong one, with which everything
 * reads as noise and whatever is written destroys. Reads and writes nothing itself; `Device.open` opens the layer. Throws `CEV_INVALID`
 * for settings that do not fit one another or the device, `CEV_KEY_REQUIRED` without a key, `CEV_UNKNOWN_FEATURE` for a cipher or hash
 * that is not known here.
 */
export function openPlain(lower: Layer, options: OpenPlainOptions): CryptLayer {
  const { environment, passphrase, key, name = lower.name } = options;
  const settings = settingsOf(options, name);
  const encryption = fullCipher(settings.cipher);
  parseCipher(encryption, settings.keySize);
  checkFits(lower, settings, name);
  const volumeKey = plainKeyOf({ passphrase, key }, settings, name);
  try {
    return new CryptLayer(lower, {
      environment,
      segment: {
        offset: settings.offset,
        size: settings.size,
        ivTweak: settings.skip / 512,
        encryption,
        sectorSize: settings.sectorSize,
      },
      hasLargeIvs: settings.largeIvs,
      volumeKey,
      allowDiscards: options.allowDiscards ?? false,
      isReadOnly: options.isReadOnly ?? false,
      backend: options.backend ?? "openssl",
      describedOptions: options.describedOptions ?? {},
    });
  } finally {
    wipe(volumeKey);
  }
}

function settingsOf(options: OpenPlainOptions, source: string): PlainSettings {
  const { cipher, keySize, hash, offset, size, skip, sectorSize, largeIvs } = options;
  const checked = checkPlainSettings({ cipher, keySize, hash, offset, size, skip, sectorSize, largeIvs });
  if ("value" in checked) return checked.value;
  const [{ setting, message }] = checked.issues as [{ setting: string; message: string }];
  throw new CevError("CEV_INVALID", `${setting} ${message}`, { source });
}

/** dm-crypt's old short forms: "aes" and "aes-plain" mean "aes-cbc-plain". */
function fullCipher(cipher: string): string {
  const [name, mode, ...more] = cipher.split("-");
  const isShort = more.length === 0 && (mode === undefined || mode === "plain") && name !== "cipher_null";
  return isShort ? `${name!}-cbc-plain` : cipher;
}

function checkFits(lower: Layer, { offset, size, sectorSize }: PlainSettings, source: string): void {
  const left = lower.limits.size - offset;
  if (left <= 0 || (size !== null && size > left)) {
    const end = offset + (size ?? sectorSize);
    const message = `the encrypted data would end at byte ${end}, the device ends at byte ${lower.limits.size}`;
    throw new CevError("CEV_INVALID", message, { source, hint: "check offset and size" });
  }
  if (size === null && left % sectorSize !== 0) {
    const message = `from byte ${offset} to its end the device has ${left} bytes, no multiple of the ${sectorSize} bytes of a sector`;
    throw new CevError("CEV_INVALID", message, { source, hint: "give a size" });
  }
}

/**
 * The key of a plain device from a passphrase or the contents of a key file. The caller wipes it. Throws `CEV_KEY_REQUIRED` without either,
 * `CEV_INVALID` and `CEV_UNKNOWN_FEATURE` as `openPlain` does.
 */
export function plainKeyOf(
  { passphrase, key }: Pick<OpenPlainOptions, "passphrase" | "key">,
  { hash, keySize }: Pick<PlainSettings, "hash" | "keySize">,
  source: string,
): Uint8Array {
  if (passphrase !== undefined && key !== undefined)
    throw new CevError("CEV_INVALID", "give either a passphrase or a key", { source });
  if (key !== undefined) return plainKeyFromFile(key, keySize);
  if (passphrase === undefined) {
    throw new CevError("CEV_KEY_REQUIRED", "it is locked, and no passphrase or key was given", {
      source,
      hint: "give a passphrase file or a key file",
    });
  }
  if (hash === null) {
    throw new CevError("CEV_INVALID", "nothing says how the passphrase becomes a key", {
      source,
      hint: "give the hash with which the device was made, such as sha256",
    });
  }
  return hashPlainPassphrase(passphrase, hash, keySize);
}
