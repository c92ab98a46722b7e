import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import type { Environment, Layer, OpenedDevice } from "@cev/core";
import { readStore, snapshotDriver } from "@cev/snapshot";
import { MemoryLayer, PowerCutLayer, Random } from "@cev/test-kit";
import { expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const KIB = 1024;
const CHUNK = 1 * KIB;
const ORIGIN_SIZE = 320 * KIB;
const STORE_SIZE = 512 * KIB;
const CUTS = 6;

/** What origin and store hold after a power cut. */
interface Cut {
  readonly origin: Uint8Array;
  readonly store: Uint8Array;
  readonly isTorn: boolean;
}

function open(
  environment: Environment,
  origin: Layer,
  store: Layer,
  isReadOnly: boolean,
): Promise<readonly OpenedDevice[]> {
  return snapshotDriver.open({
    environment,
    options: { snapshots: [{ name: "s", chunkSize: CHUNK, size: null, isMerging: false }] },
    lowers: [
      { name: "origin", layer: origin },
      { name: "store", layer: store },
    ],
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: false,
    directory: ".",
    report: () => undefined,
  });
}

/** Power cuts while both sides are written, at random moments; those that tore the exceptions come first. */
async function cutsOf(seed: number): Promise<Cut[]> {
  const environment = environmentFrom(globalThis);
  const random = new Random(seed);
  const origin = new PowerCutLayer(environment, {
    size: ORIGIN_SIZE,
    contents: random.bytes(ORIGIN_SIZE),
    completion: "later",
  });
  const store = new PowerCutLayer(environment, { size: STORE_SIZE, completion: "later" });
  const opened = await open(environment, origin, store, false);
  const devices: Device[] = [];
  for (const { layer } of opened) devices.push(await Device.open(layer, environment));
  const cuts: Cut[] = [];
  const cut = async (): Promise<void> => {
    const images = { origin: origin.imageAfterCut(random), store: store.imageAfterCut(random) };
    const disk = new MemoryLayer(environment, { size: STORE_SIZE, contents: images.store });
    const contents = await readStore({ environment, source: "store", store: disk, origin, chunkSize: CHUNK });
    cuts.push({ ...images, isTorn: contents.isTorn });
  };
  for (let round = 0; round < 16; round++) {
    const length = random.between(1, 90) * KIB;
    let isDone = false;
    const writing = Promise.all(
      devices.map((device) => device.write(random.below(ORIGIN_SIZE - length), random.bytes(length))),
    ).finally(() => void (isDone = true));
    while (!isDone) {
      await new Promise<void>((resolve) => environment.later(resolve));
      for (let count = 0; count < 3; count++) await cut();
    }
    await writing;
  }
  for (const device of devices.reverse()) await device.close();
  return random.shuffled(cuts).toSorted((a, b) => Number(b.isTorn) - Number(a.isTorn));
}

async function hashByCev({ origin, store }: Cut): Promise<string> {
  const environment = environmentFrom(globalThis);
  const disks = [origin, store].map(
    (contents) => new MemoryLayer(environment, { size: contents.length, contents }),
  );
  const opened = await open(environment, disks[0]!, disks[1]!, true);
  const device = await Device.open(opened[1]!.layer, environment);
  const bytes = await device.read(0, device.size);
  await device.close();
  return createHash("sha256").update(bytes).digest("hex");
}

describeWith(ORACLE_TOOLS, "what a power cut left of a snapshot", () => {
  test("the kernel sees as cev does, also where it tore the exceptions", async () => {
    const cuts = await cutsOf(3);
    expect(cuts[1]!.isTorn).toBe(true);
    const judged = [...cuts.slice(0, 2), ...cuts.slice(2 - CUTS)];
    const directory = mkdtempSync(join(tmpdir(), "cev-snapshot-cut-"));
    try {
      const disks = judged.flatMap(({ origin, store }, index) => {
        const paths = [`origin${index}`, `store${index}`].map((name) => join(directory, name));
        writeFileSync(paths[0]!, origin);
        writeFileSync(paths[1]!, store);
        return paths;
      });
      const { status, stdout, stderr } = await runOracle({
        script: `
while [ $# -gt 0 ]; do
  dmsetup create snap --table "0 $(blockdev --getsz $1) snapshot $1 $2 P ${CHUNK / 512}"
  sha256sum </dev/mapper/snap | cut -d' ' -f1
  dmsetup remove snap
  shift 2
done`,
        disks,
        mode: "snapshot",
      });
      expect(status, stderr).toBe(0);
      expect(stdout.trim().split("\n")).toEqual(await Promise.all(judged.map(hashByCev)));
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
