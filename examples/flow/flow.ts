import { standardDrivers } from "@cev/cli";
import { Io, Op, environmentFrom, subEventsOf } from "@cev/core";
import type { Details, Device } from "@cev/core";
import { openImages } from "@cev/stack";
import type { Stack, StackDevice } from "@cev/stack";
import { Observer } from "./observer.ts";
import type { Passing, Picture, Step } from "./observer.ts";
import { Pacer } from "./pacer.ts";
import { WatchLayer } from "./watch-layer.ts";

/** Milliseconds that each file takes longer than it would, while it is watched. */
const DELAYS_MS: Readonly<Record<string, number>> = {
  "disk0.img": 10,
  "disk1.img": 60,
  "disk2.img": 50,
  "disk3.img": 15,
};
const VOLUME = "vg0/root";
const LENGTH = 8192;

/** What one write was seen to do. */
export interface FlowReport {
  /** The devices that stand on one another, uppermost first. */
  readonly devices: readonly {
    readonly name: string;
    readonly driver: string;
    readonly lowers: readonly string[];
  }[];
  readonly offset: number;
  readonly length: number;
  readonly passings: readonly Passing[];
  readonly pictures: readonly Picture[];
  /** In the order in which they ran. */
  readonly steps: readonly Step[];
}

/** Opens the images, writes once to the volume in them, and watches. */
export async function watchOneWrite(images: readonly string[], passphrase: string): Promise<FlowReport> {
  const environment = environmentFrom(globalThis);
  const observer = new Observer(environment);
  const pacer = new Pacer(environment);
  await using stack = await openImages(images, {
    environment,
    drivers: standardDrivers(),
    keys: [new TextEncoder().encode(passphrase)],
    isReadOnly: false,
    only: [VOLUME],
    around: (layer, name) =>
      new WatchLayer(layer, {
        name: shortName(name),
        watcher: observer,
        pacer,
        delayMs: DELAYS_MS[name] ?? 0,
      }),
  });
  const device = await stack.open(VOLUME);
  const offset = endOfFirstSegment(stack.find(VOLUME).details) - LENGTH / 2;
  const data = await device.read(offset, LENGTH);
  // The first write into a region makes the array note in its superblocks and bitmap that it is being written: that
  // happens once, and is not what is to be seen here. The same bytes as before are written.
  await device.write(offset, data);
  await writeWatched(device, offset, data, observer);
  const { passings, pictures, steps } = observer;
  return { devices: devicesOf(stack), offset, length: LENGTH, passings, pictures, steps };
}

/** "luks" for "luks/1d0c5a2e-…", "md" for "md/oracle:stack"; others as they are. */
function shortName(name: string): string {
  return /^(?:luks|md)(?=\/)/.exec(name)?.[0] ?? name;
}

async function writeWatched(
  device: Device,
  offset: number,
  data: Uint8Array,
  observer: Observer,
): Promise<void> {
  const io = new Io(device.environment.runQueue).prepare(Op.write, offset, data.length, data);
  observer.begin(io);
  io.wait(() => observer.woken("#", "whoever waited for the write"), null);
  const done = io.promise();
  device.submit(io);
  // One can also wait for a part alone, and hears of it while others are still under way.
  const [first] = subEventsOf(io);
  first?.io.wait(() => observer.woken("#0", "whoever waited for the first part alone"), null);
  await done;
  observer.end();
}

/** Where the volume goes on elsewhere: a request across it becomes two. */
function endOfFirstSegment(details: Details): number {
  const { group, segments } = details as {
    readonly group: { readonly extentSize: number };
    readonly segments: readonly { readonly extentCount: number }[];
  };
  return segments[0]!.extentCount * group.extentSize;
}

function devicesOf(stack: Stack): FlowReport["devices"] {
  const below = (device: StackDevice): StackDevice[] => [device, ...device.lowers.flatMap(below)];
  return below(stack.find(VOLUME)).map(({ name, driver, lowers }) => ({
    name: shortName(name),
    driver: driver ?? "",
    lowers: lowers.map((lower) => shortName(lower.name)),
  }));
}
