import { CryptLayer } from "@cev/crypt";
import { Io, Op, closeTree, environmentFrom, openTree } from "@cev/core";
import { bytesPerRequest } from "../allocated.ts";
import type { Report } from "../report.ts";
import { SinkLayer } from "./sink-layer.ts";

const KIB = 1024;
const LENGTH = 4 * KIB;
const DISK_SIZE = 256 * KIB * KIB;
const BURST_COUNT = 16;
const BURSTS = 1000;
const KEY_LENGTH = 64;

/** Bytes of the JavaScript heap that the layer takes per request; what OpenSSL is called with and answers counts, its data does not. */
export async function benchLayerAllocation(report: Report): Promise<void> {
  report.title("Sectors: bytes of the JavaScript heap per request of 4 KiB, one by one and in bursts of 16");
  const environment = environmentFrom(globalThis);
  const layer = new CryptLayer(new SinkLayer(DISK_SIZE), {
    environment,
    segment: { offset: 0, size: null, ivTweak: 0, encryption: "aes-xts-plain64", sectorSize: 512 },
    volumeKey: Uint8Array.from({ length: KEY_LENGTH }, (_, index) => index * 7),
  });
  await openTree(layer);
  const data = environment.buffers.acquire(BURST_COUNT * LENGTH).bytes;
  const ios = Array.from({ length: BURST_COUNT }, () => new Io(environment.runQueue));
  const run = (op: Op, isBurst: boolean) => (): number => {
    for (let burst = 0; burst < BURSTS; burst++) {
      if (isBurst) environment.burst.begin();
      for (let index = 0; index < BURST_COUNT; index++) {
        const place = (burst * BURST_COUNT + index) * LENGTH;
        layer.submit(ios[index]!.prepare(op, place % DISK_SIZE, LENGTH, data, index * LENGTH));
      }
      if (isBurst) environment.burst.end();
      if (!ios[0]!.isUpToDate) throw new Error("the layer failed");
    }
    return BURSTS * BURST_COUNT;
  };
  report.row("", "one by one", "in bursts");
  for (const [name, op] of [
    ["read", Op.read],
    ["write", Op.write],
  ] as const) {
    const figures = [await bytesPerRequest(run(op, false)), await bytesPerRequest(run(op, true))];
    report.row(name, ...figures.map(String));
  }
  await closeTree(layer);
}
