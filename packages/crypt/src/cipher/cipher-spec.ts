import { CevError } from "@cev/core";

/** A cipher as LUKS and dm-crypt write it, taken apart: "aes-xts-plain64". */
export interface CipherSpec {
  readonly cipher: "aes";
  readonly mode: "xts";
  readonly iv: "plain64";
  /** Bytes: both halves of the XTS key together. */
  readonly keySize: 32 | 64;
}

/** Checks a cipher and the length of its key. Throws `CEV_UNKNOWN_FEATURE` for what is not known here. */
export function parseCipher(encryption: string, keySize: number): CipherSpec {
  if (encryption !== "aes-xts-plain64") {
    throw new CevError("CEV_UNKNOWN_FEATURE", `the cipher ${JSON.stringify(encryption)} is not known here`, {
      hint: "known is aes-xts-plain64",
    });
  }
  if (keySize !== 32 && keySize !== 64) {
    throw new CevError(
      "CEV_UNKNOWN_FEATURE",
      `${encryption} with a key of ${keySize * 8} bits is not known here`,
      {
        hint: "known are keys of 256 and 512 bits",
      },
    );
  }
  return { cipher: "aes", mode: "xts", iv: "plain64", keySize };
}
