import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { findHoleFinder } from "@cev/hw-file";
import { expect, test } from "vitest";
import { Server } from "../src/cev.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { output } from "../src/run.ts";
import { describeWith } from "../src/tools.ts";

// Of the status of base:allocation.
const ZERO = 2;

interface MapEntry {
  readonly offset: number;
  readonly length: number;
  readonly type: number;
}

const SETS: readonly { readonly set: string; readonly devices: readonly [name: string, layer: string][] }[] =
  [
    {
      set: "lvm-thin",
      devices: ["vg/first", "vg/snap", "vg/sparse", "vg/external", "vg/empty"].map((name) => [name, name]),
    },
    {
      set: "lvm-snapshot",
      devices: ["vg/origin", "vg/early", "vg/late", "vg/untouched"].map((name) => [name, name]),
    },
    { set: "lvm-mirror", devices: ["vg/disk", "vg/three"].map((name) => [name, name]) },
    { set: "raid5-4k", devices: [["md/oracle:small-chunks", "md"]] },
    { set: "gpt", devices: [["disk0.img/p1", "p1"]] },
  ];

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** What a client is told of a device: extents one after the other, from its begin to its end. */
async function mapOf(uri: string, context: string): Promise<MapEntry[]> {
  const map = JSON.parse(await output("nbdinfo", [`--map=${context}`, "--json", uri])) as MapEntry[];
  let at = 0;
  for (const { offset, length } of map) {
    expect(offset).toBe(at);
    at += length;
  }
  return map;
}

describeWith(["nbdinfo", "nbdcopy", "qemu-img"], "clients that leave out what is called zeroes", () => {
  test.each(SETS)("copy all that the kernel saw: $set", async ({ set, devices }) => {
    using golden = new GoldenCopy(set);
    const socket = join(golden.folder, "nbd");
    const names = devices.flatMap(([name]) => ["--device", name]);
    await using server = await Server.onSocket(socket, [...golden.images, ...names, "--read-only"]);
    let zeroes = 0;
    for (const [name, layer] of devices) {
      const uri = `nbd+unix:///${encodeURIComponent(name)}?socket=${socket}`;
      const map = await mapOf(uri, "base:allocation");
      expect(map.reduce((sum, { length }) => sum + length, 0)).toBe(golden.layer(layer).size);

      const file = join(golden.folder, "out.raw");
      await output("nbdcopy", [uri, file]);
      const contents = readFileSync(file);
      expect(sha256(contents), `${name}, by nbdcopy`).toBe(golden.layer(layer).sha256);
      await output("qemu-img", ["convert", "-f", "raw", "-O", "raw", uri, file]);
      expect(sha256(readFileSync(file)), `${name}, by qemu-img`).toBe(golden.layer(layer).sha256);

      const isRight = map.every(
        ({ offset, length, type }) =>
          (type & ZERO) === 0 || Buffer.alloc(length).equals(contents.subarray(offset, offset + length)),
      );
      expect(isRight, `${name}: what is called zeroes is`).toBe(true);
      zeroes += map.filter(({ type }) => (type & ZERO) !== 0).length;
    }
    // The others hold random bytes from end to end.
    const isSparse = ["lvm-thin", "raid5-4k", "gpt"].includes(set);
    if (isSparse && findHoleFinder() !== null) expect(zeroes).toBeGreaterThan(0);
    expect(server).toBeDefined();
  });

  test("are told which member holds what", async () => {
    using golden = new GoldenCopy("raid5-4k");
    const socket = join(golden.folder, "nbd");
    const device = "md/oracle:small-chunks";
    const args = [...golden.images, "--device", device, "--read-only"];
    await using server = await Server.onSocket(socket, args);
    const uri = `nbd+unix:///${encodeURIComponent(device)}?socket=${socket}`;
    const map = await mapOf(uri, "x-cev:holder");
    const held = map.filter(({ type }) => type !== 0);
    // Chunks of 4 KiB, each on one of three members, with parity beside it.
    expect(new Set(held.map(({ type }) => type >>> 0))).toEqual(
      new Set([0x8000_0001, 0x8000_0002, 0x8000_0003]),
    );
    const second = await mapOf(uri, "x-cev:holder=2:disk1.img");
    const bytesOf = (entries: readonly MapEntry[]): number =>
      entries.reduce((sum, { length }) => sum + length, 0);
    expect(bytesOf(second.filter(({ type }) => type === 1))).toBe(
      bytesOf(held.filter(({ type }) => type >>> 0 === 0x8000_0002)),
    );
    expect(server).toBeDefined();
  });
});
