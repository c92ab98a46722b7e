import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { numberOf } from "../../../scripts/command-line.ts";
import {
  COMMON_HELP,
  COMMON_OPTIONS,
  FLAG,
  TEXT,
  isWanted,
  readCommon,
  sampleOf,
} from "../matrix/options.ts";
import type { CommonOptions } from "../matrix/options.ts";
import { allCases, everyOne } from "./cases.ts";
import type { CryptCase } from "./cases.ts";
import { allCrashes, crashId } from "./crash/crash-way.ts";
import type { CrashCase } from "./crash/crash-way.ts";
import { KINDS } from "./hostile/headers.ts";
import type { HeaderKind } from "./hostile/headers.ts";
import { WAYS } from "./verdict.ts";
import type { Way } from "./verdict.ts";

const WAYS_DEFAULT = "read,write,create,qemu";

export const HELP = `The interop matrix of @cev/crypt: devices exchanged with cryptsetup and the kernel's dm-crypt.

  --what LIST       read: made by cryptsetup, filled by the kernel, read by cev; write: the same, written by cev, judged by both;
                    create: made and written by cev, judged by both; qemu: LUKS1 made by QEMU and by cev, written by cev,
                    read by the other; images: those of cryptsetup's own tests, read by cev and the kernel;
                    crash: cev's operations on headers, with power cuts among their writes, judged by cev and cryptsetup;
                    hostile: headers with every bit and word changed, and JSON by chance: no bug, no write, no hang, and
                    the same plaintext as the kernel
                    (${WAYS_DEFAULT})
  --operation LIST  for crash: luksAddKey and so on (all)
  --cuts N          for crash: so many states of each operation at most (100); cryptsetup looks at a tenth of them
  --json N          for hostile: so many damaged JSON texts (5000)
  --stride N        for hostile: every Nth damage only (1)
  --flips N         for hostile: every Nth bit of both copies of LUKS2 headers (199); with 1 each of them, which takes an hour
  --suite DIR       for images: the folder of cryptsetup's tests
  --format LIST     plain, luks1, luks2 (all)
  --cipher LIST     as cryptsetup's --cipher: aes-xts-plain64 (all)
  --hash LIST       sha256 and so on; plain mode also key, plain, ripemd160:20 (all)
  --all             every combination; by default every cipher in every format and sector size once, and every hash
                    and derivation, combined by the seed
  --sample N        so many cases only
  --seed S          decides what is sampled, combined and written (1)
  --jobs N          kernels at once (${availableParallelism()})
  --case ID         one case as failures name it: luks2/aes-xts-plain64/64/4096/sha256/argon2id
  --list            say which cases there are
${COMMON_HELP}

Examples:
  pnpm crypt-matrix --sample 20 --seed 7
  pnpm crypt-matrix --what crash --operation luksAddKey
  pnpm crypt-matrix --what hostile --stride 50
  pnpm crypt-matrix --case luks2/aes-xts-plain64/64/4096/sha256/argon2id --keep`;

/** What the command line asks for. */
export interface MatrixOptions extends CommonOptions {
  readonly cases: readonly CryptCase[];
  readonly ways: readonly Way[];
  /** The folder of cryptsetup's tests; null: it was not said. */
  readonly suite: string | null;
  readonly crashes: readonly CrashCase[];
  readonly cuts: number;
  readonly kinds: readonly HeaderKind[];
  readonly jsonCount: number;
  readonly stride: number;
  readonly flips: number;
}

/** Null where help is asked for. Throws for what makes no sense. */
export function readOptions(args: readonly string[]): MatrixOptions | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      what: { type: "string", default: WAYS_DEFAULT },
      suite: TEXT,
      operation: TEXT,
      json: { type: "string", default: "5000" },
      flips: { type: "string", default: "199" },
      stride: { type: "string", default: "1" },
      cuts: { type: "string", default: "100" },
      format: TEXT,
      cipher: TEXT,
      hash: TEXT,
      all: FLAG,
      ...COMMON_OPTIONS,
    },
  });
  if (values.help) return null;
  const ways = WAYS.filter((way) => isWanted(values.what, way));
  if (ways.length === 0) throw new Error(`--what: there is no ${values.what}`);
  if (ways.includes("images") && values.suite === undefined)
    throw new Error("--what images: say where cryptsetup's tests are, with --suite");
  const common = readCommon("crypt-matrix", values);
  const { seed } = common;
  const wanted = allCases().filter(
    ({ id, format, encryption, hash }) =>
      isWanted(values.format, format) &&
      isWanted(values.cipher, encryption) &&
      isWanted(values.hash, hash) &&
      (values.case === undefined || id === values.case),
  );
  const crashes = allCrashes().filter(
    (one) =>
      isWanted(values.operation, one.scene.name.split(" ")[0]!) &&
      (values.case === undefined || crashId(one) === values.case),
  );
  const kinds = KINDS.filter((kind) => values.case === undefined || values.case === kind);
  if (wanted.length + crashes.length + kinds.length === 0)
    throw new Error("no case of the matrix is like this");
  const chosen = values.all ? wanted : everyOne(wanted, seed);
  return {
    cases: sampleOf(chosen, ({ id }) => id, values.sample, seed),
    ways,
    suite: values.suite ?? null,
    crashes,
    cuts: numberOf("cuts", values.cuts),
    kinds,
    jsonCount: numberOf("json", values.json),
    stride: numberOf("stride", values.stride, 1),
    flips: numberOf("flips", values.flips, 1),
    ...common,
  };
}
