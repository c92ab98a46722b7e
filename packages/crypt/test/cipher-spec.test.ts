import { describe, expect, test } from "vitest";
import { keySizesOf, parseCipher } from "../src/cipher/cipher-spec.ts";
import type { CipherSpec } from "../src/cipher/cipher-spec.ts";

describe("an encryption is taken apart as by dm-crypt", () => {
  const cases: [encryption: string, parts: Partial<CipherSpec>][] = [
    ["aes-xts-plain64", { cipher: "aes", mode: "xts", iv: "plain64", essivHash: null }],
    ["aes-cbc-essiv:sha256", { cipher: "aes", mode: "cbc", iv: "plain64", essivHash: "sha256" }],
    ["aes-cbc-essiv:sha3-256", { mode: "cbc", iv: "plain64", essivHash: "sha3-256" }],
    ["camellia-ctr-plain", { cipher: "camellia", mode: "ctr", iv: "plain", narrowBlockLength: 1 }],
    ["aria-cbc-benbi", { cipher: "aria", mode: "cbc", iv: "benbi", narrowBlockLength: 16 }],
    ["aes-cbc-null", { iv: "null" }],
    ["aes-cbc-plain64be", { iv: "plain64be" }],
    ["aes-ecb", { mode: "ecb", iv: null, essivHash: null }],
    ["aes-ecb-plain64", { mode: "ecb", iv: null, essivHash: null }],
    ["aes", { cipher: "aes", mode: "cbc", iv: "plain" }],
    ["aes-plain", { cipher: "aes", mode: "cbc", iv: "plain" }],
    ["aes:1-cbc-plain64", { cipher: "aes", mode: "cbc", iv: "plain64" }],
    ["serpent-xts-plain64", { cipher: "serpent", mode: "xts" }],
    ["twofish-lrw-benbi", { cipher: "twofish", mode: "lrw", iv: "benbi", narrowBlockLength: 16 }],
    ["aes-xts-essiv:wp256", { mode: "xts", essivHash: "wp256" }],
    ["capi:xts(aes)-plain64", { cipher: "aes", mode: "xts", iv: "plain64", essivHash: null }],
    ["capi:ecb(camellia)", { cipher: "camellia", mode: "ecb", iv: null }],
    ["capi:cbc(aes)-essiv:sha256", { mode: "cbc", iv: "plain64", essivHash: "sha256" }],
    ["capi:essiv(cbc(aes),sha256)-plain64", { mode: "cbc", iv: "plain64", essivHash: "sha256" }],
    ["capi:essiv(cbc(aes),sha3-256)-plain", { mode: "cbc", iv: "plain", essivHash: "sha3-256" }],
  ];
  test.each(cases)("%s", (encryption, parts) => {
    expect(parseCipher(encryption, 32)).toMatchObject({ ...parts, keySize: 32 });
  });
});

describe("what is not known is refused by name", () => {
  const cases: [encryption: string, said: string][] = [
    ["", '""'],
    ["blowfish-cbc-plain64", '"blowfish"'],
    ["AES-cbc-plain64", '"AES"'],
    ["cipher_null-ecb", "does not encrypt"],
    ["xchacha12,aes-adiantum-plain64", '"xchacha12,aes"'],
    ["paes-xts-plain64", "hardware"],
    ["constructor-cbc-plain", '"constructor"'],
    ["aes-hctr2-plain64", '"hctr2"'],
    ["aes-gcm-random", '"gcm" of "aes-gcm-random" is not known here: it comes with integrity tags'],
    ["aes-XTS-plain64", '"XTS"'],
    ["aes-cbc", "no iv is named"],
    ["aes-cbc-", '"aes-cbc-"'],
    ["aes-cbc-plain65", '"plain65"'],
    ["aes-cbc-PLAIN64", '"PLAIN64"'],
    ["aes-cbc-plain64:sha256", '"plain64"'],
    ["aes-cbc-random", "integrity tags"],
    ["aes-cbc-lmk", "loop-AES"],
    ["aes-cbc-tcw", "TrueCrypt"],
    ["aes-cbc-eboiv", "BitLocker"],
    ["aes-cbc-elephant", "BitLocker"],
    ["aes:64-cbc-lmk", "64 keys"],
    ["aes:0-cbc-plain64", "0 keys"],
    ["aes-cbc-essiv", '"essiv"'],
    ["aes-cbc-essiv:", '""'],
    ["aes-cbc-essiv:nohash", '"nohash"'],
    ["aes-cbc-essiv:sha1", "160 bits"],
    ["aes-cbc-essiv:sha512", "512 bits"],
    ["sm4-cbc-essiv:sha256", "256 bits"],
    ["aes-ecb-essiv:sha256", '"aes-ecb-essiv:sha256"'],
    ["aes-ecb-foo", '"aes-ecb-foo"'],
    ["capi:cbc(aes)", "no iv is named"],
    ["capi:xts(ecb(aes))-plain64", '"capi:xts(ecb(aes))-plain64"'],
    ["capi:xts-aes-aesni-plain64", '"capi:xts-aes-aesni-plain64"'],
    ["capi:essiv(cbc(aes),sha256)-essiv:sha256", '"essiv"'],
    ["capi:authenc(hmac(sha256),xts(aes))-random", "authenc"],
    ["aes-xts-plain64\u001b[2J", "\\u001b"],
    ["a".repeat(5000), "5000 characters"],
  ];
  test.each(cases)("%s", (encryption, said) => {
    expect(() => parseCipher(encryption, 32)).toThrow(
      expect.objectContaining({
        code: "CEV_UNKNOWN_FEATURE",
        message: expect.stringContaining(said) as string,
      }),
    );
  });

  test("so is a key of a length that the cipher does not take", () => {
    expect(() => parseCipher("aes-xts-plain64", 40)).toThrow(
      expect.objectContaining({
        code: "CEV_UNKNOWN_FEATURE",
        message: expect.stringContaining("320 bits") as string,
      }),
    );
    expect(() => parseCipher("sm4-cbc-plain64", 32)).toThrow("256 bits");
  });
});

test("lengths of keys are those of the cipher, twice for xts, and 16 bytes more for lrw", () => {
  expect(keySizesOf("aes-xts-plain64")).toEqual([32, 48, 64]);
  expect(keySizesOf("camellia-cbc-essiv:sha256")).toEqual([16, 24, 32]);
  expect(keySizesOf("aes-lrw-benbi")).toEqual([32, 40, 48]);
  expect(keySizesOf("sm4-xts-plain64")).toEqual([32]);
});
