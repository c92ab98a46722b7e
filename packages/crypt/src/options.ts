import type { Details, StandardResult, StandardSchema } from "@cev/core";
import type { CryptBackend } from "./cipher/sector-cipher.ts";
import { KDF_LIMITS } from "./key/kdf.ts";
import type { KdfLimits } from "./key/kdf.ts";
import { checkPlainSettings, plainSchema } from "./plain/plain-settings.ts";
import type { PlainSettings } from "./plain/plain-settings.ts";

/** Settings of the driver, checked. Key files are read by the stack, which hands their bytes to the driver. */
export interface CryptOptions {
  /** A file with a passphrase: all of it, without its last newline. */
  readonly passphrase: { readonly file: string } | null;
  /** A file that is a key, byte for byte. */
  readonly keyFile: string | null;
  /** Bytes of the key file that are passed over. */
  readonly keyFileOffset: number | null;
  /** Bytes of the key file that are the key; null: all. */
  readonly keyFileSize: number | null;
  /** Only this keyslot is tried, also one that is to be ignored otherwise; null: all that are usable. */
  readonly keyslot: number | null;
  /** Only a LUKS header of this version is taken; null: of any. */
  readonly version: 1 | 2 | null;
  /** The device has no header, and this is how it is encrypted; null: LUKS. */
  readonly plain: PlainSettings | null;
  /** Null: as the header says, which by default is false. */
  readonly allowDiscards: boolean | null;
  /** How OpenSSL is called; null: "openssl". */
  readonly backend: CryptBackend | null;
  readonly kdf: KdfLimits;
}

const BACKENDS: readonly CryptBackend[] = ["openssl", "ffi"];
const VERSIONS: readonly (1 | 2)[] = [1, 2];
const KEYSLOT_MAX = 31;
const KEY_FILE_SIZE_MAX = 8 * 1024 * 1024;

const cost = (description: string, value: number): Details => ({
  type: "integer",
  minimum: 1,
  maximum: Number.MAX_SAFE_INTEGER,
  default: value,
  description,
});

/** The options as a JSON Schema, for editors and documentation. */
export const cryptOptionsSchema: Details = {
  type: "object",
  additionalProperties: false,
  properties: {
    passphrase: {
      type: "object",
      additionalProperties: false,
      required: ["file"],
      properties: { file: { type: "string", minLength: 1, description: "Its path" } },
      description: "A file that holds a passphrase; its last newline does not count",
    },
    keyFile: { type: "string", minLength: 1, description: "A file that is a key, byte for byte" },
    keyFileOffset: {
      type: "integer",
      minimum: 0,
      maximum: Number.MAX_SAFE_INTEGER,
      default: 0,
      description: "Bytes of the key file that are passed over",
    },
    keyFileSize: {
      type: "integer",
      minimum: 1,
      maximum: KEY_FILE_SIZE_MAX,
      description: "Bytes of the key file that are the key; by default all",
    },
    keyslot: {
      type: "integer",
      minimum: 0,
      maximum: KEYSLOT_MAX,
      description: "Only this keyslot is tried, also one that is to be ignored otherwise",
    },
    version: {
      type: "integer",
      enum: VERSIONS,
      description: "Only a LUKS header of this version is opened; by default of any",
    },
    plain: plainSchema,
    allowDiscards: {
      type: "boolean",
      description: "Let discards through, which shows unused sectors below; by default as the header says",
    },
    backend: {
      type: "string",
      enum: BACKENDS,
      default: "openssl",
      description:
        "How OpenSSL is called: openssl, through node:crypto; ffi, in place through node:ffi, for XTS on Node 26 and later. It is faster and, like that module, experimental; where it cannot be had it means openssl",
    },
    kdfMemoryMax: cost("Bytes of memory that deriving a key may take (argon2)", KDF_LIMITS.memoryMax),
    kdfWorkMax: cost("Bytes that deriving a key may go through in all passes (argon2)", KDF_LIMITS.workMax),
    kdfIterationsMax: cost("Iterations that deriving a key may take (pbkdf2)", KDF_LIMITS.iterationsMax),
  },
};

/** Checks and completes the driver's options. */
export const cryptOptions: StandardSchema<CryptOptions> = {
  "~standard": { version: 1, vendor: "@cev/crypt", validate },
};

type Issue = { readonly message: string; readonly path: readonly string[] };

function validate(value: unknown): StandardResult<CryptOptions> {
  if (!isObject(value)) return { issues: [{ message: "the options are not an object", path: [] }] };
  const issues: Issue[] = [];
  for (const name of Object.keys(value)) {
    if (!Object.hasOwn(cryptOptionsSchema["properties"] as Details, name))
      issues.push({ message: "there is no such option", path: [name] });
  }
  const { passphrase, keyFile, allowDiscards, backend, version } = value;
  const isFile = isObject(passphrase) && isPath(passphrase["file"]) && Object.keys(passphrase).length === 1;
  if (passphrase !== undefined && !isFile)
    issues.push({
      message: "is not { file: PATH }; a passphrase itself has no place here",
      path: ["passphrase"],
    });
  if (keyFile !== undefined && !isPath(keyFile)) issues.push({ message: "is not a path", path: ["keyFile"] });
  if (allowDiscards !== undefined && typeof allowDiscards !== "boolean")
    issues.push({ message: "is neither true nor false", path: ["allowDiscards"] });
  if (backend !== undefined && !BACKENDS.includes(backend as CryptBackend))
    issues.push({ message: `is none of ${BACKENDS.join(", ")}`, path: ["backend"] });
  if (version !== undefined && !VERSIONS.includes(version as 1 | 2))
    issues.push({ message: "is neither 1 nor 2", path: ["version"] });
  const whole = <Missing>(
    name: string,
    ordinary: Missing,
    valueMin: number,
    valueMax: number,
  ): number | Missing => {
    const given = value[name];
    if (given === undefined) return ordinary;
    if (typeof given === "number" && Number.isSafeInteger(given) && given >= valueMin && given <= valueMax)
      return given;
    const upTo = valueMax === Number.MAX_SAFE_INTEGER ? "" : ` up to ${valueMax}`;
    issues.push({ message: `is not a whole number from ${valueMin}${upTo}`, path: [name] });
    return ordinary;
  };
  const cost = (name: string, ordinary: number): number => whole(name, ordinary, 1, Number.MAX_SAFE_INTEGER);
  const kdf = {
    memoryMax: cost("kdfMemoryMax", KDF_LIMITS.memoryMax),
    workMax: cost("kdfWorkMax", KDF_LIMITS.workMax),
    iterationsMax: cost("kdfIterationsMax", KDF_LIMITS.iterationsMax),
  };
  const numbers = {
    keyFileOffset: whole("keyFileOffset", null, 0, Number.MAX_SAFE_INTEGER),
    keyFileSize: whole("keyFileSize", null, 1, KEY_FILE_SIZE_MAX),
    keyslot: whole("keyslot", null, 0, KEYSLOT_MAX),
  };
  if (keyFile === undefined)
    for (const name of ["keyFileOffset", "keyFileSize"])
      if (value[name] !== undefined) issues.push({ message: "says something of no key file", path: [name] });
  const plain = checkPlain(value, issues);
  if (issues.length > 0) return { issues };
  return {
    value: {
      passphrase: (passphrase as CryptOptions["passphrase"] | undefined) ?? null,
      keyFile: (keyFile as string | undefined) ?? null,
      ...numbers,
      version: (version as CryptOptions["version"] | undefined) ?? null,
      plain,
      allowDiscards: (allowDiscards as boolean | undefined) ?? null,
      backend: (backend as CryptBackend | undefined) ?? null,
      kdf,
    },
  };
}

/** Null: there are none, or they are wrong, which then is among the issues. */
function checkPlain(
  { plain, passphrase, keyslot, version }: Record<string, unknown>,
  issues: Issue[],
): PlainSettings | null {
  if (plain === undefined) return null;
  if (keyslot !== undefined) issues.push({ message: "a plain device has no keyslots", path: ["keyslot"] });
  if (version !== undefined) issues.push({ message: "a plain device has no header", path: ["version"] });
  const checked = checkPlainSettings(plain);
  if ("issues" in checked) {
    for (const { setting, message } of checked.issues)
      issues.push({ message, path: setting === "" ? ["plain"] : ["plain", setting] });
    return null;
  }
  if (passphrase !== undefined && checked.value.hash === null)
    issues.push({
      message: 'is missing: a passphrase is hashed, by "sha256" or another',
      path: ["plain", "hash"],
    });
  return checked.value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPath(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && !value.includes("\0");
}
