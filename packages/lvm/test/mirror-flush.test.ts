import { Op, closeTree, openTree, request } from "@cev/core";
import { FaultLayer, SimulatedWorld } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { BITS_OFFSET, encodeMirrorLog, hasBit, setBit } from "../src/volumes/mirror/log-format.ts";
import { MirrorLayer } from "../src/volumes/mirror/mirror-layer.ts";
import { ImageLayer } from "./support/image-layer.ts";

const REGION = 4096;
const REGION_COUNT = 10;
const SIZE = REGION * REGION_COUNT;
const ALL = Array.from({ length: REGION_COUNT }, (_, region) => region);

function allClean(): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set(encodeMirrorLog({ regionCount: REGION_COUNT }));
  for (const region of ALL) setBit(bytes.subarray(BITS_OFFSET), region);
  return bytes;
}

describe("a flush that fails", () => {
  /** The regions that are called clean after all, where one flush of an image failed, and a region was written before and again. */
  async function cleanAfter(failing: number, isAsked: boolean): Promise<number[]> {
    const world = new SimulatedWorld({ seed: 1 });
    const { environment: simulated } = world;
    const [first, second] = [1, 2].map(
      (value) => new ImageLayer(`image${value}`, new Uint8Array(SIZE).fill(value)),
    );
    const log = new ImageLayer("log", allClean());
    const fault = new FaultLayer([first!, second!][failing]!, simulated);
    fault.add({ fault: { kind: "error", code: "CEV_IO" }, op: Op.flush, countMax: 1 });
    const images = failing === 0 ? [fault, second!] : [first!, fault];
    const mirror = new MirrorLayer({
      name: "vg0/root",
      environment: simulated,
      size: SIZE,
      regionSize: REGION,
      images,
      log,
      isLogMissing: false,
      isReadOnly: false,
      report: () => undefined,
    });
    const write = (offset: number): Promise<void> =>
      request(mirror, simulated, Op.write, offset, 512, new Uint8Array(512).fill(7));
    await world.drive(openTree(mirror));
    await world.drive(write(0));
    if (isAsked) await world.drive(request(mirror, simulated, Op.flush, 0, 0).catch(() => undefined));
    else await world.drive(new Promise<void>((ended) => void simulated.clock.after(1500, ended)));
    expect(fault.faultCount).toBe(1);
    await world.drive(write(512));
    await world.drive(closeTree(mirror));
    return ALL.filter((region) => hasBit(log.bytes.subarray(BITS_OFFSET), region));
  }

  test.each([
    [0, false],
    [0, true],
    [1, false],
    [1, true],
  ])("leaves dirty what the image may have lost (image %i, asked for: %s)", async (failing, isAsked) => {
    expect(await cleanAfter(failing, isAsked)).toEqual(ALL.slice(1));
  });
});
