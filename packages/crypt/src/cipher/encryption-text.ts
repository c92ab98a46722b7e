/** An encryption as dm-crypt's tables have it, taken apart; nothing of it is held against what is known. */
export interface EncryptionParts {
  readonly cipher: string;
  /** Keys of which each encrypts some of the sectors: 1, but for loop-AES. */
  readonly keyCount: number;
  readonly mode: string;
  /** "sha256" of "essiv(cbc(aes),sha256)", or null. */
  readonly essivHash: string | null;
  /** "plain64"; null where none is named. */
  readonly iv: string | null;
  /** What stands behind the iv and a colon: "sha256" of "essiv:sha256"; null where nothing does. */
  readonly ivOption: string | null;
}

const LEGACY =
  /^(?<cipher>[^-:()]+)(?::(?<count>\d{1,9}))?(?:-(?<mode>[^-()]+)(?:-(?<iv>[^:()]+)(?::(?<option>[^()]*))?)?)?$/;
const CAPI = /^capi:(?<api>.*?)(?:-(?<iv>[^-:()]+))?(?::(?<option>[^:()]*))?$/;
const API = /^(?<mode>[^(),]+)\((?<cipher>[^()]+)\)$/;
const API_ESSIV = /^essiv\((?<mode>[^(),]+)\((?<cipher>[^()]+)\),(?<hash>[^(),]+)\)$/;

/**
 * Takes apart what LUKS headers and dm-crypt's tables call a cipher, in both of the kernel's notations (drivers/md/dm-crypt.c):
 * "aes-cbc-essiv:sha256" and "capi:essiv(cbc(aes),sha256)-plain64". Null for what is neither. As in the kernel, a cipher alone
 * and "aes-plain" mean cbc with the iv plain.
 */
export function decodeEncryption(encryption: string): EncryptionParts | null {
  return encryption.startsWith("capi:") ? decodeCapi(encryption) : decodeLegacy(encryption);
}

function decodeLegacy(encryption: string): EncryptionParts | null {
  const groups = LEGACY.exec(encryption)?.groups;
  if (groups === undefined) return null;
  const { cipher = "", count = "1", mode, iv, option } = groups;
  const isShort = mode === undefined || (mode === "plain" && iv === undefined);
  return {
    cipher,
    keyCount: Number(count),
    mode: isShort ? "cbc" : mode,
    essivHash: null,
    iv: isShort ? "plain" : (iv ?? null),
    ivOption: option ?? null,
  };
}

function decodeCapi(encryption: string): EncryptionParts | null {
  const { api = "", iv, option } = CAPI.exec(encryption)?.groups ?? {};
  const groups = (API_ESSIV.exec(api) ?? API.exec(api))?.groups;
  if (groups === undefined) return null;
  const { cipher = "", mode = "", hash } = groups;
  return { cipher, keyCount: 1, mode, essivHash: hash ?? null, iv: iv ?? null, ivOption: option ?? null };
}
