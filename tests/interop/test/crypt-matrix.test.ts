import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { allCases, everyOne } from "../crypt-matrix/cases.ts";
import { allCrashes, crashId } from "../crypt-matrix/crash/crash-way.ts";
import { readLog } from "../crypt-matrix/exchange/oracle-batch.ts";
import { runMatrix } from "../crypt-matrix/runner.ts";
import type { Verdict, Way } from "../crypt-matrix/verdict.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

// A few devices and operations, of which cryptsetup is done soon; the whole matrix is `pnpm run crypt-matrix`.
const EXCHANGED = [
  "plain/camellia-xts-plain/64/4096L/key/-",
  "luks1/aes-cbc-essiv:sha256/32/512/sha1/pbkdf2",
  "luks2/aes-xts-plain64/64/4096/sha256/argon2id",
];
const WITH_QEMU = "luks1/aes-xts-plain64/32/512/sha256/pbkdf2";
const CRASHED = ["luksKillSlot/luks2/cryptsetup"];
const SEED = 5;

const folder = mkdtempSync(join(tmpdir(), "crypt-matrix-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs a part of the matrix; its verdicts by way and case. */
async function verdictsOf(
  ids: readonly string[],
  ways: readonly Way[],
): Promise<ReadonlyMap<string, Verdict>> {
  const verdicts = new Map<string, Verdict>();
  await runMatrix({
    cases: allCases().filter(({ id }) => ids.includes(id)),
    crashes: allCrashes().filter((one) => CRASHED.includes(crashId(one))),
    kinds: ["detached"],
    ways,
    cuts: 6,
    jsonCount: 100,
    stride: 301,
    flips: 10_007,
    suite: null,
    seed: SEED,
    jobs: 2,
    folder,
    isKept: false,
    report: (more) => {
      for (const verdict of more) verdicts.set(`${verdict.way} ${verdict.id}`, verdict);
    },
  });
  return verdicts;
}

describeWith(ORACLE_TOOLS, "a sample of the crypt matrix, both ways", () => {
  const expected = EXCHANGED.flatMap((id) => [`read ${id}`, `write ${id}`, `create ${id}`]);
  let verdicts: ReadonlyMap<string, Verdict> = new Map();
  beforeAll(async () => {
    verdicts = await verdictsOf(EXCHANGED, ["read", "write", "create"]);
  }, 300_000);

  test.each(expected)("%s", (title) => {
    expect(verdicts.get(title)).toMatchObject({ failures: [], isRefused: false });
  });
});

describeWith(["qemu-img"], "a sample of the crypt matrix, with QEMU", () => {
  test("LUKS1 both ways", async () => {
    const verdicts = await verdictsOf([WITH_QEMU], ["qemu"]);
    expect(verdicts.get(`qemu ${WITH_QEMU}`)).toMatchObject({ failures: [] });
  });
});

describeWith(ORACLE_TOOLS, "a sample of the crypt matrix, with harm done to headers", () => {
  test("power cuts, and fields and JSON by chance", async () => {
    const verdicts = await verdictsOf([], ["crash", "hostile"]);
    expect([...verdicts.keys()].toSorted()).toEqual(
      [...CRASHED.map((id) => `crash ${id}`), "hostile detached"].toSorted(),
    );
    for (const { failures } of verdicts.values()) expect(failures).toEqual([]);
  });
});

test("every cipher, hash and derivation of the whole matrix is in its default sample, whatever the seed", () => {
  const all = allCases();
  const path = ({ format, encryption, keySize, sectorSize, hasLargeIvs }: (typeof all)[number]): string =>
    `${format} ${encryption} ${keySize} ${sectorSize} ${hasLargeIvs}`;
  for (const seed of [1, 2, 3]) {
    const sample = everyOne(all, seed);
    expect(new Set(sample.map(path))).toEqual(new Set(all.map(path)));
    expect(new Set(sample.map(({ format, hash, kdf }) => `${format} ${hash} ${kdf}`))).toEqual(
      new Set(all.map(({ format, hash, kdf }) => `${format} ${hash} ${kdf}`)),
    );
  }
});

test("what the kernel says of a device is read from among other lines", () => {
  const sha256 = "0".repeat(64);
  expect(readLog(`WARNING: hash\nhash found ${sha256} 49152\nresult ok\n`)).toMatchObject({
    isOk: true,
    sha256,
    size: 49_152,
  });
  expect(readLog("hash found\n")).toMatchObject({ isOk: false, sha256: null, size: null });
});
