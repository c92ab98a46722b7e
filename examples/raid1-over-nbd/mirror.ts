import { Device, closeTree, openTree } from "@cev/core";
import type { Environment, NamedLayer } from "@cev/core";
import { NbdLayer } from "@cev/nbd";
import { RaidLayer, assembleArray, createArray } from "@cev/raid";
import { StatisticsLayer } from "@cev/test-kit";
import type { MemberProcess } from "./member-process.ts";

const MIB = 1 << 20;
/** What a bit of the bitmap stands for. */
const REGION = 256 * 1024;
/** A server that is away for longer has failed. */
const RECONNECT_TIMEOUT_MS = 100;

/** What the program saw. */
export interface Outcome {
  /** Bytes of the array. */
  readonly size: number;
  /** Bytes that were written while one server was away. */
  readonly missedLength: number;
  /** Bytes that were copied to it when it was back. */
  readonly copiedLength: number;
  /** Bytes that differed from what was written: without the server, and with it again. */
  readonly wrongWhileDegraded: number;
  readonly wrongAfterwards: number;
  /** Bytes in which the two copies differed in the end. */
  readonly mismatches: number;
}

/** Makes a RAID1 over two servers, kills the second in the middle of a write, goes on, and takes it back. */
export async function loseOneAndTakeItBack(
  environment: Environment,
  servers: readonly [MemberProcess, MemberProcess],
  say: (line: string) => void,
): Promise<Outcome> {
  const [, second] = servers;
  await Promise.all(servers.map((server) => server.start()));
  await createMirror(environment, servers);
  const filled = await openMirror(environment, servers, say);
  const content = new Uint8Array(filled.device.size);
  const change = async (device: Device, offset: number, length: number): Promise<void> => {
    const data = content.subarray(offset, offset + length);
    for (let at = 0; at < length; at += REGION)
      environment.random(data.subarray(at, Math.min(length, at + REGION)));
    await device.write(offset, data);
  };
  await change(filled.device, 0, content.length);
  // What was written a moment ago is still marked, until some seconds have passed; or until the array is closed.
  await filled.device.close();
  const { array, device } = await openMirror(environment, servers, say);
  say(`wrote ${device.size / MIB} MiB to a RAID1 over two NBD servers`);

  const missed = [
    { offset: 2 * MIB, length: MIB },
    { offset: 9 * MIB + 4096, length: REGION },
  ];
  const underWay = change(device, missed[0]!.offset, missed[0]!.length);
  await second.kill();
  await underWay;
  await change(device, missed[1]!.offset, missed[1]!.length);
  await device.flush();
  const wrongWhileDegraded = differences(await device.read(0, device.size), content);
  say(`one was killed in the middle of a write: ${states(array)}; ${wrongWhileDegraded} bytes differ`);

  await second.start();
  const back = await connect(environment, second, "back");
  await array.removeMember("s1");
  await array.reAddMember(back.layer, back.name);
  await array.idle();
  // Superblocks, the bitmap and the regions: of reads there is next to nothing.
  const copiedLength = back.layer.counts["write"]?.bytes ?? 0;
  say(`it was taken back: ${states(array)}; ${Math.round(copiedLength / 1024)} KiB were written to it`);

  const wrongAfterwards = differences(await device.read(0, device.size), content);
  const mismatches = await array.check();
  say(`${wrongAfterwards} bytes differ, the copies differ in ${mismatches}`);
  await device.close();
  const missedLength = missed.reduce((sum, { length }) => sum + length, 0);
  return { size: device.size, missedLength, copiedLength, wrongWhileDegraded, wrongAfterwards, mismatches };
}

async function createMirror(environment: Environment, servers: readonly MemberProcess[]): Promise<void> {
  const members = await openMembers(environment, servers);
  await createArray({
    environment,
    level: 1,
    members,
    name: "mirror",
    bitmap: "internal",
    bitmapChunkSize: REGION,
    assumeClean: true,
  });
  await closeAll(members);
}

async function openMirror(
  environment: Environment,
  servers: readonly MemberProcess[],
  say: (line: string) => void,
): Promise<{ readonly array: RaidLayer; readonly device: Device }> {
  // They are read before the array is there, and so are open until it has opened them itself.
  const members = await openMembers(environment, servers);
  const { layer: array } = await assembleArray({
    environment,
    members,
    report: ({ message }) => say(`  ${message}`),
  });
  // In the middle of a reshape it would be another layer, which is only read.
  if (!(array instanceof RaidLayer)) throw new Error("a new array is not being reshaped");
  const device = await Device.open(array, environment, { name: "mirror" });
  await closeAll(members);
  return { array, device };
}

async function openMembers(
  environment: Environment,
  servers: readonly MemberProcess[],
): Promise<NamedLayer[]> {
  const members = await Promise.all(
    servers.map((server, index) => connect(environment, server, `s${index}`)),
  );
  for (const { layer } of members) await openTree(layer);
  return members;
}

async function closeAll(members: readonly NamedLayer[]): Promise<void> {
  for (const { layer } of members) await closeTree(layer);
}

/** A server's export as a device, with a count of what is written to it. */
async function connect(
  environment: Environment,
  { uri }: MemberProcess,
  name: string,
): Promise<{ readonly name: string; readonly layer: StatisticsLayer }> {
  const layer = await NbdLayer.at(environment, { uri, reconnectTimeoutMs: RECONNECT_TIMEOUT_MS });
  return { name, layer: new StatisticsLayer(layer) };
}

const states = (array: RaidLayer): string =>
  array.array.members.map(({ name, state }) => `${name} ${state}`).join(", ");

function differences(a: Uint8Array, b: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < b.length; at++) if (a[at] !== b[at]) count++;
  return count;
}
