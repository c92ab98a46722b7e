// Makes the golden images anew, all or those named on the command line: node make-golden.ts [SET...]
// The kernel chooses salts, keys and some UUIDs itself, so every run gives other bytes.
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { runOracle } from "../oracle/run-oracle.ts";
import type { OracleMode } from "../oracle/run-oracle.ts";
import type { GoldenFile, GoldenImage, GoldenLayer, GoldenManifest } from "./manifest.ts";
import { GOLDEN_SETS, LVM_GROUPS, RAID_STATES } from "./sets.ts";
import type { GoldenSet } from "./sets.ts";

const GOLDEN = fileURLToPath(new URL(".", import.meta.url));
const names = process.argv.slice(2);

for (const set of [...GOLDEN_SETS, ...RAID_STATES, ...LVM_GROUPS]) {
  if (names.length === 0 || names.includes(set.name)) await make(set);
}

async function make(set: GoldenSet): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "golden-"));
  try {
    writeFileSync(join(work, "binary.bin"), patternless(102_400));
    const disks = set.sizes.map((size, index) => {
      const path = join(work, `disk${index}.img`);
      writeFileSync(path, "");
      truncateSync(path, size);
      return path;
    });
    await run(set, "make", set.isPowerCut === true ? "power-cut" : "write", work, disks);
    writeFileSync(join(work, "facts"), "");
    await run(set, "read", set.readMode ?? "read-only", work, disks);
    pack(set, work, disks);
  } finally {
    rmSync(work, { recursive: true });
  }
}

async function run(
  set: GoldenSet,
  step: string,
  mode: OracleMode,
  work: string,
  disks: readonly string[],
): Promise<void> {
  const script = `set -- "$@"; . "$GOLDEN/sets/${set.script}.sh"`;
  const env = {
    GOLDEN,
    STEP: step,
    PASSPHRASE: set.passphrase ?? "",
    SECOND_PASSPHRASE: set.secondPassphrase ?? "",
    ...set.env,
  };
  const result = await runOracle({ script, disks, mode, env, work });
  if (result.status !== 0) throw new Error(`${set.name}, ${step}: ${result.stdout}${result.stderr}`);
}

function pack(set: GoldenSet, work: string, disks: readonly string[]): void {
  const target = join(GOLDEN, set.name);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target);
  let total = 0;
  const images = disks.map((path, index): GoldenImage => {
    const file = `disk${index}.img`;
    const bytes = readFileSync(path);
    const packed = brotliCompressSync(bytes, {
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 9,
        [constants.BROTLI_PARAM_LGWIN]: 24,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
      },
    });
    total += packed.length;
    writeFileSync(join(target, `${file}.br`), packed);
    return { file, size: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  const manifest: GoldenManifest = {
    name: set.name,
    description: set.description,
    images,
    ...(set.passphrase === undefined ? {} : { passphrase: set.passphrase }),
    ...(set.secondPassphrase === undefined ? {} : { secondPassphrase: set.secondPassphrase }),
    ...readFacts(readFileSync(join(work, "facts"), "utf8")),
  };
  writeFileSync(join(target, "manifest.json"), `${JSON.stringify(manifest, undefined, 2)}\n`);
  console.log(`${set.name}: ${images.length} images, ${total} bytes`);
}

function readFacts(text: string): Pick<GoldenManifest, "kernel" | "layers" | "files" | "facts"> {
  const layers: GoldenLayer[] = [];
  const files: GoldenFile[] = [];
  const facts: Record<string, string> = {};
  for (const line of text.trim().split("\n")) {
    const [kind, name = "", second = "", third = ""] = line.split("\t");
    if (kind === "layer") layers.push({ name, size: Number(second), sha256: third });
    else if (kind === "file") files.push({ path: name, size: Number(second), sha256: third });
    else facts[name] = second;
  }
  const { kernel = "", ...others } = facts;
  return { kernel, layers, files, facts: others };
}

/** Bytes that do not compress, the same in every run. */
function patternless(length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let index = 0; index * 32 < length; index++) {
    blocks.push(createHash("sha256").update(`golden ${index}`).digest());
  }
  return Buffer.concat(blocks, length);
}
