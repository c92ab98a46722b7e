import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Server } from "../src/cev.ts";
import { deviceName } from "../src/device-name.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { NbdClient } from "../src/nbd-client.ts";
import { openFiles } from "../src/open-disks.ts";
import { Random, chooseSeed } from "../src/random.ts";

const WRITES = 64;
const LENGTH = 65_536;
const RESYNC_OFFSET = 4096 + 208;

/** All ones: the parity of the whole array is right. */
function resyncOffset(image: string): bigint {
  return readFileSync(image).readBigUInt64LE(RESYNC_OFFSET);
}

describe("cev serve is asked to end while a client writes", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const seed = chooseSeed();
    test(`${signal}: what was answered is kept, the array is clean, exit status 0, CEV_SEED=${seed}`, async () => {
      using golden = new GoldenCopy("raid5-bitmap");
      const random = new Random(seed);
      const device = deviceName(golden.manifest, "md");
      const socket = join(golden.folder, "nbd");
      const server = await Server.onSocket(socket, [...golden.images, "--device", device]);
      const client = await NbdClient.connect(socket, device);
      const writes = Array.from({ length: WRITES }, (_, index) => ({
        offset: index * LENGTH,
        data: random.bytes(LENGTH),
      }));
      // While it is written, the array is marked; soon afterwards no more, and then whoever looked was late.
      do await client.write(writes[0]!.offset, writes[0]!.data);
      while (resyncOffset(golden.images[0]!) !== 0n);

      const answered = new Set<number>([0]);
      const all = writes.slice(1).map(({ offset, data }, index) =>
        client.write(offset, data).then(
          () => answered.add(index + 1),
          () => undefined,
        ),
      );
      await Promise.race(all);
      const ended = await server.stop(signal);
      await Promise.all(all);
      expect(ended, ended.stderr).toMatchObject({ status: 0 });

      for (const image of golden.images) expect(resyncOffset(image), image).toBe(2n ** 64n - 1n);
      await using stack = await openFiles(golden.images);
      expect(stack.problems).toEqual([]);
      const array = await stack.open(device);
      for (const index of answered) {
        const { offset, data } = writes[index]!;
        expect(Buffer.compare(await array.read(offset, LENGTH), data), `the write at ${offset}`).toBe(0);
      }
    });
  }
});
