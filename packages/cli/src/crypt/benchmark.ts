import { environmentFrom } from "@cev/core";
import { benchmark as measure } from "@cev/crypt";
import type { BenchmarkedCipher, BenchmarkedKdf, CipherResult, KdfResult } from "@cev/crypt";
import { ExitStatus } from "../exit-status.ts";
import { Interrupt } from "../interrupt.ts";
import { say } from "../output.ts";
import type { CostOptions } from "./crypt-options.ts";
import { withoutUndefined } from "./without-undefined.ts";
import { parseCipherName, parseKeyBits, parseWhole } from "./parse.ts";

export interface BenchmarkOptions extends CostOptions {
  readonly cipher?: string;
  readonly keySize?: string;
  readonly json?: boolean;
}

const KEY_SIZE_DEFAULT = 32;
const MEBIBYTE = 1 << 20;
const CIPHER_HEAD = "#     Algorithm |       Key |      Encryption |      Decryption";

/** `cev crypt benchmark`. */
export async function benchmark(options: BenchmarkOptions): Promise<ExitStatus> {
  const keySize = parseKeyBits(options.keySize, "--key-size") ?? KEY_SIZE_DEFAULT;
  using interrupt = new Interrupt();
  const isJson = options.json === true;
  let hasHead = false;
  if (!isJson) say("# Tests are approximate using memory only (no storage IO).");
  const results = await measure({
    environment: environmentFrom(globalThis),
    signal: interrupt.signal,
    keySize,
    ...choiceOf(options, keySize),
    onResult: (result) => {
      if (isJson) return;
      if (result.kind === "kdf") return say(kdfText(result));
      if (!hasHead) say(CIPHER_HEAD);
      hasHead = true;
      say(cipherText(result));
    },
  });
  if (isJson) say(JSON.stringify({ command: "benchmark", ...results, problems: [] }, null, 2));
  return ExitStatus.done;
}

/** What is measured, where that is said: key derivation, or one cipher. */
function choiceOf(
  options: BenchmarkOptions,
  keySize: number,
): { readonly kdfs?: readonly BenchmarkedKdf[]; readonly ciphers?: readonly BenchmarkedCipher[] } {
  const { pbkdf, hash } = options;
  if (pbkdf !== undefined || hash !== undefined) {
    const kdf = withoutUndefined({
      hash: pbkdf === undefined || pbkdf === "pbkdf2" ? (hash ?? "sha256") : undefined,
      timeMs: parseWhole(options.iterTime, "--iter-time"),
      memoryKibibytesMax: parseWhole(options.pbkdfMemory, "--pbkdf-memory"),
      lanesMax: parseWhole(options.pbkdfParallel, "--pbkdf-parallel"),
    });
    return { kdfs: [{ ...kdf, type: (pbkdf ?? "pbkdf2") as BenchmarkedKdf["type"] }], ciphers: [] };
  }
  const cipher = parseCipherName(options.cipher);
  return cipher === undefined ? {} : { kdfs: [], ciphers: [{ cipher, keySize }] };
}

function kdfText({ type, hash, timeMs, keySize, cost }: KdfResult): string {
  const name = type === "pbkdf2" ? `PBKDF2-${(hash ?? "").padEnd(9)}` : type.padEnd(10);
  if (cost === null) return `${name}     N/A`;
  const forKey = `for ${keySize * 8}-bit key`;
  if (cost.type === "pbkdf2") {
    const perSecond = Math.round((cost.iterations * 1000) / timeMs);
    return `${name} ${String(perSecond).padStart(7)} iterations per second ${forKey}`;
  }
  const passes = String(cost.passes).padStart(4);
  const memory = String(cost.memoryKibibytes).padStart(5);
  return `${name} ${passes} iterations, ${memory} memory, ${cost.lanes} parallel threads (CPUs) ${forKey} (requested ${timeMs} ms time)`;
}

function cipherText({ cipher, keySize, encrypted, decrypted }: CipherResult): string {
  // The name without its iv.
  const name = cipher.split("-", 2).join("-").padStart(15);
  const bits = `${String(keySize * 8).padStart(9)}b`;
  if (encrypted === null || decrypted === null)
    return `${name}  ${bits} ${"N/A".padStart(17)} ${"N/A".padStart(17)}`;
  return `${name}  ${bits}  ${speedText(encrypted)}  ${speedText(decrypted)}`;
}

const speedText = (bytesPerSecond: number): string =>
  `${(bytesPerSecond / MEBIBYTE).toFixed(1).padStart(10)} MiB/s`;
