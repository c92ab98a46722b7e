import type { Details, StandardResult, StandardSchema } from "@cev/core";
import { KDF_LIMITS } from "./key/kdf.ts";
import type { KdfLimits } from "./key/kdf.ts";

/** Settings of the driver, checked. Key files are read by the stack, which hands their bytes to the driver. */
export interface CryptOptions {
  /** A file with a passphrase: all of it, without its last newline. */
  readonly passphrase: { readonly file: string } | null;
  /** A file that is a key, byte for byte. */
  readonly keyFile: string | null;
  /** Null: as the header says, which by default is false. */
  readonly allowDiscards: boolean | null;
  readonly kdf: KdfLimits;
}

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
      properties: { file: { type: "string", minLength: 1 } },
      description: "A file that holds a passphrase; its last newline does not count",
    },
    keyFile: { type: "string", minLength: 1, description: "A file that is a key, byte for byte" },
    allowDiscards: {
      type: "boolean",
      description: "Let discards through, which shows unused sectors below; by default as the header says",
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
  const { passphrase, keyFile, allowDiscards } = value;
  if (passphrase !== undefined && !(isObject(passphrase) && isPath(passphrase["file"])))
    issues.push({
      message: "is not { file: PATH }; a passphrase itself has no place here",
      path: ["passphrase"],
    });
  if (keyFile !== undefined && !isPath(keyFile)) issues.push({ message: "is not a path", path: ["keyFile"] });
  if (allowDiscards !== undefined && typeof allowDiscards !== "boolean")
    issues.push({ message: "is neither true nor false", path: ["allowDiscards"] });
  const bound = (name: string, ordinary: number): number => {
    const given = value[name];
    if (given === undefined) return ordinary;
    if (typeof given === "number" && Number.isSafeInteger(given) && given > 0) return given;
    issues.push({ message: "is not a whole number above 0", path: [name] });
    return ordinary;
  };
  const kdf = {
    memoryMax: bound("kdfMemoryMax", KDF_LIMITS.memoryMax),
    workMax: bound("kdfWorkMax", KDF_LIMITS.workMax),
    iterationsMax: bound("kdfIterationsMax", KDF_LIMITS.iterationsMax),
  };
  if (issues.length > 0) return { issues };
  return {
    value: {
      passphrase: (passphrase as CryptOptions["passphrase"] | undefined) ?? null,
      keyFile: (keyFile as string | undefined) ?? null,
      allowDiscards: (allowDiscards as boolean | undefined) ?? null,
      kdf,
    },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPath(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && !value.includes("\0");
}
