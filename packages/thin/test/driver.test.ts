import { Device, Io, Op, environmentFrom, formatError, request } from "@cev/core";
import type { Problem } from "@cev/core";
import { FaultLayer, MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { thinDriver } from "../src/index.ts";
import { goldenPool } from "./support/golden-pool.ts";
import { PoolMaker, seal } from "./support/make-pool.ts";
import { openPool } from "./support/open-pool.ts";

const environment = environmentFrom(globalThis);
const CHUNK = 65_536;
const volumes = [{ name: "one", deviceId: 1, size: 64 * CHUNK }];

const memory = (contents: Uint8Array): MemoryLayer =>
  new MemoryLayer(environment, { size: contents.length, contents, completion: "atOnce" });

/** What opening such metadata and reading the volume fails with. */
async function failureOf(metadata: Uint8Array, options: object = { volumes }): Promise<string> {
  try {
    const [opened] = await openPool(
      environment,
      [memory(metadata), memory(new Uint8Array(8 * CHUNK))],
      options,
    );
    await using device = await Device.open(opened!.layer, environment);
    await device.read(0, device.size);
  } catch (error) {
    return formatError(error);
  }
  return "nothing";
}

/** Metadata with something changed in one block, and its checksum put right. */
function changed(block: number, change: (view: DataView) => void): Uint8Array {
  const metadata = PoolMaker.volume([
    [0, 1],
    [1, 2],
    [5, 0],
  ]);
  change(new DataView(metadata.buffer, block * 4096, 4096));
  seal(metadata, block);
  return metadata;
}

describe("metadata that cannot be accepted is refused with its place:", () => {
  test.each<[string, number, (view: DataView) => void, RegExp]>([
    [
      "another magic",
      0,
      (view) => view.setUint8(32, 0),
      /superblock, field magic, at byte 32: this is not the metadata/,
    ],
    ["an unknown version", 0, (view) => view.setUint32(40, 3, true), /field version.*version 3 is not known/],
    [
      "unknown features",
      0,
      (view) => view.setUint32(360, 2, true),
      /field incompat_flags.*0x2 are not known/,
    ],
    [
      "a root beyond the device",
      0,
      (view) => view.setBigUint64(320, 2n ** 60n, true),
      /data_mapping_root.*outside/,
    ],
    ["no root", 0, (view) => view.setBigUint64(328, 0n, true), /device_details_root.*outside/],
    [
      "chunks that no pool has",
      0,
      (view) => view.setUint32(336, 3, true),
      /data_block_size.*chunks of 1536 bytes/,
    ],
    [
      "more blocks than there are",
      0,
      (view) => view.setBigUint64(344, 2n ** 60n, true),
      /metadata_nr_blocks.*passes the end/,
    ],
    ["blocks of another size", 0, (view) => view.setUint32(340, 16, true), /metadata_block_size/],
    [
      "a node in the wrong place",
      3,
      (view) => view.setBigUint64(8, 4n, true),
      /node 3, field blocknr.*another block/,
    ],
    ["a node of no kind", 3, (view) => view.setUint32(4, 3, true), /node 3, field flags, at byte 12292/],
    ["more entries than fit", 3, (view) => view.setUint32(16, 253, true), /nr_entries.*253 entries/],
    ["room for more than fit", 3, (view) => view.setUint32(20, 2 ** 31, true), /max_entries.*do not fit/],
    [
      "values of another size",
      3,
      (view) => view.setUint32(24, 16, true),
      /value_size.*16 bytes instead of 8/,
    ],
    ["keys out of order", 3, (view) => view.setBigUint64(32, 1n, true), /field key 1.*ascending/],
    ["a key past 2^53", 3, (view) => view.setBigUint64(48, 2n ** 63n, true), /field key 2/],
    [
      "a chunk beyond the data",
      3,
      (view) => view.setBigUint64(32 + 252 * 8, 99n << 24n, true),
      /chunk 0 into chunk 99.*has 8/,
    ],
    [
      "a tree that is its own branch",
      3,
      (view) => {
        view.setUint32(4, 1, true);
        view.setBigUint64(32 + 252 * 8, 3n, true);
        view.setBigUint64(32 + 253 * 8, 3n, true);
        view.setBigUint64(32 + 254 * 8, 3n, true);
      },
      /node 3/,
    ],
    [
      "a branch to the superblock",
      1,
      (view) => view.setBigUint64(32 + 252 * 8, 0n, true),
      /node 1, field value 0.*block 0/,
    ],
  ])("%s", async (_, block, change, words) => {
    expect(await failureOf(changed(block, change))).toMatch(words);
  });

  test("a checksum", async () => {
    const metadata = changed(3, () => undefined);
    metadata[3 * 4096] = metadata[3 * 4096]! ^ 1;
    expect(await failureOf(metadata)).toMatch(/node 3, field csum.*the checksum is wrong/);
  });

  test("a tree without end", async () => {
    const maker = new PoolMaker()
      .superblock(1, 2)
      .node(1, "leaf", [[1, 3]])
      .node(2, "leaf", [[1, 1]], 0, 24);
    for (let block = 3; block < 60; block++) maker.node(block, "internal", [[0, block + 1]]);
    expect(await failureOf(maker.metadata)).toMatch(/more than 16 levels/);
  });

  test("a branch that leads to what belongs elsewhere", async () => {
    const metadata = PoolMaker.volume(
      [
        [0, 1],
        [1, 2],
        [5, 0],
      ],
      2,
    );
    const view = new DataView(metadata.buffer, 3 * 4096, 4096);
    view.setBigUint64(32 + 252 * 8 + 8, 8n, true);
    seal(metadata, 3);
    expect(await failureOf(metadata)).toMatch(/node 8, field keys.*not those that node 3 leads here for/);
  });
});

describe("the driver", () => {
  test("names a volume that the pool does not have", async () => {
    const metadata = PoolMaker.volume([[0, 1]]);
    const two = { volumes: [{ name: "two", deviceId: 2, size: CHUNK }] };
    expect(await failureOf(metadata, two)).toBe(
      "pool_tmeta: the pool has no volume 2 (two); thin_dump lists those that it has",
    );
  });

  test("refuses chunks of another size than it was told, and an external origin that is not there", async () => {
    const metadata = PoolMaker.volume([[0, 1]]);
    expect(await failureOf(metadata, { volumes, chunkSize: 131_072 })).toMatch(
      /data_block_size.*65536 bytes, and not 131072/,
    );
    const over = [{ ...volumes[0]!, externalOrigin: 2 }];
    expect(await failureOf(metadata, { volumes: over })).toMatch(/one names device 2 as its external origin/);
  });

  test("reports a pool that wants to be checked, or is at another transaction than its group", async () => {
    const metadata = changed(0, (view) => view.setUint32(4, 1, true));
    const problems: Problem[] = [];
    const lowers = [memory(metadata), memory(new Uint8Array(8 * CHUNK))];
    await openPool(environment, lowers, { volumes, transactionId: 8 }, problems);
    expect(problems.map(({ message }) => message)).toEqual([
      expect.stringMatching(/wants the pool to be checked/),
      expect.stringMatching(/is at transaction 7, and its group at 8/),
    ]);
  });

  test("tells what is wrong with its options", async () => {
    const issueOf = async (value: unknown): Promise<unknown> =>
      (await thinDriver.options["~standard"].validate(value)).issues?.[0]?.path;
    expect(await issueOf({ volumes, chunk: 1 })).toEqual(["chunk"]);
    expect(await issueOf({ volumes: [] })).toEqual(["volumes"]);
    expect(await issueOf({ volumes: [{ ...volumes[0]!, deviceId: 2 ** 24 }] })).toEqual([
      "volumes",
      0,
      "deviceId",
    ]);
    expect(await issueOf({ volumes: [{ ...volumes[0]!, size: 0 }] })).toEqual(["volumes", 0, "size"]);
    expect(await issueOf({ volumes: [{ ...volumes[0]!, externalOrigin: 1 }] })).toEqual([
      "volumes",
      0,
      "externalOrigin",
    ]);
    expect(await issueOf({ volumes, transactionId: -1 })).toEqual(["transactionId"]);
    expect(await issueOf({ volumes })).toBeUndefined();
  });
});

describe("a thin volume", () => {
  test("is not written, by whatever name", async () => {
    const lowers = [memory(PoolMaker.volume([[0, 1]])), memory(new Uint8Array(8 * CHUNK))];
    const [opened] = await openPool(environment, lowers, { volumes });
    await using device = await Device.open(opened!.layer, environment);
    await expect(device.write(0, new Uint8Array(512))).rejects.toMatchObject({ code: "CEV_READ_ONLY" });
    await expect(request(opened!.layer, environment, Op.discard, 0, 512)).rejects.toMatchObject({
      code: "CEV_NOT_SUPPORTED",
    });
  });

  test("is read again once its metadata can be: an error that passed is not remembered", async () => {
    const { metadata, data } = goldenPool();
    const fault = new FaultLayer(memory(metadata), environment);
    const [opened] = await openPool(environment, [fault, memory(data)], { volumes });
    await using device = await Device.open(opened!.layer, environment);
    fault.add({ op: Op.read, fault: { kind: "error", code: "CEV_MEDIUM" }, countMax: 1 });
    await expect(device.read(5 * CHUNK, 512)).rejects.toMatchObject({ code: "CEV_MEDIUM" });
    expect(new TextDecoder().decode(await device.read(5 * CHUNK, 6))).toBe("first\n");
  });

  test("counts what was read before a part that failed", async () => {
    const data = new FaultLayer(memory(new Uint8Array(8 * CHUNK).fill(9)), environment);
    const [opened] = await openPool(
      environment,
      [
        memory(
          PoolMaker.volume([
            [0, 1],
            [2, 4],
          ]),
        ),
        data,
      ],
      { volumes },
    );
    await using device = await Device.open(opened!.layer, environment);
    await device.read(0, 512);
    data.add({ op: Op.read, offset: 4 * CHUNK, length: CHUNK, fault: { kind: "error", code: "CEV_MEDIUM" } });
    const io = new Io(environment.runQueue).prepare(Op.read, 0, 4 * CHUNK, new Uint8Array(4 * CHUNK).fill(1));
    const ended = io.promise().catch(() => undefined);
    opened!.layer.submit(io);
    await ended;
    expect(io.error?.code).toBe("CEV_MEDIUM");
    expect(io.transferred).toBe(2 * CHUNK);
    expect([io.data[0], io.data[CHUNK], io.offset]).toEqual([9, 0, 0]);
  });
});
