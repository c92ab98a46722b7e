import { BufferPool, Device, environmentFrom } from "@cev/core";
import { MemoryLayer, Random } from "@cev/test-kit";
import { expect, test } from "vitest";
import { openSnapshots } from "./open-snapshots.ts";

const KIB = 1024;
const CHUNK = 4 * KIB;

test("a write that waits for memory holds up nobody whose memory it may be waiting for", async () => {
  const buffers = new BufferPool({ bytesMax: 4 * CHUNK });
  const environment = environmentFrom(globalThis, { buffers });
  const before = new Random(1).bytes(64 * KIB);
  const [, opened] = await openSnapshots({
    environment,
    origin: new MemoryLayer(environment, { size: before.length, contents: before }),
    stores: [new MemoryLayer(environment, { size: 128 * KIB })],
    options: { snapshots: [{ name: "a", chunkSize: CHUNK }] },
  });
  const snapshot = await Device.open(opened!.layer, environment, { blockSize: 512 });
  // As a layer above has them until what it writes is written.
  const lent = Array.from({ length: 4 }, () => buffers.acquire(CHUNK));
  lent.forEach(({ bytes }, index) => bytes.fill(index + 1));
  const part = snapshot.write(512, new Uint8Array(512).fill(9));
  await Promise.all(lent.map(({ bytes }, index) => snapshot.write((index + 1) * CHUNK, bytes)));
  for (const buffer of lent) buffers.release(buffer);
  await part;
  const shown = before.slice();
  shown.fill(9, 512, 1024);
  lent.forEach((_, index) => shown.fill(index + 1, (index + 1) * CHUNK, (index + 2) * CHUNK));
  expect(await snapshot.read(0, shown.length)).toEqual(shown);
  await snapshot.close();
});
