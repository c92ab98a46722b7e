import type { CommandRequest } from "@cev/lvm";
import { isCevError } from "@cev/core";
import { hashText } from "../matrix/hash.ts";
import { Random } from "../src/random.ts";
import { commandOn } from "./crash/group-state.ts";
import { hashOfBytes } from "./from-kernel.ts";
import { readGoldenGroup } from "./golden-group.ts";
import { openGroup } from "./open-group.ts";
import { openVolumes } from "./random-volumes.ts";
import type { GroupShape } from "./shapes.ts";
import { failureOf } from "../matrix/failure-of.ts";
import type { WrittenGroup } from "./written.ts";

const group = "vg";

/**
 * Changes a golden group by cev's commands: a volume more, all others renamed and tagged, some larger, removed, with a snapshot, the
 * group renamed and back. A command may be refused, as LVM2 would refuse it or as too much for cev; what it does not name
 * stays as it was.
 */
export async function changeGolden(shape: GroupShape, seed: number): Promise<WrittenGroup> {
  const golden = readGoldenGroup(shape);
  const images = golden.images.map((bytes) => bytes.slice());
  const random = new Random(hashText(`change ${shape.name} ${seed}`));
  const failures: string[] = [];
  const contents = new Map<string, string | null>();
  try {
    const expected = new Map([...golden.volumes].map(([name, { sha256 }]) => [name, sha256]));
    for (const request of requestsFor([...expected.keys()], random)) {
      if (!(await isDone(images, request, failures))) continue;
      if (request.command === "lvrename") {
        expected.set(request.newName, expected.get(request.volume)!);
        expected.delete(request.volume);
      } else if (request.command === "lvremove") for (const name of request.volumes) expected.delete(name);
      else if (request.command === "lvextend") expected.delete(request.volume);
    }
    await using stack = await openGroup(images, random);
    const names = stack.devices
      .filter(({ name, layer }) => name.startsWith("vg/") && layer !== null)
      .map(({ name }) => name.slice(3))
      .filter((name) => !shape.failing.some((failing) => name.startsWith(failing)));
    for (const { name, content } of await openVolumes(stack, names)) {
      if (content === null) continue;
      const hash = hashOfBytes(content);
      const was = expected.get(name);
      if (was !== undefined && was !== hash)
        failures.push(`${name} reads otherwise since the group was changed`);
      contents.set(name, hash);
      expected.delete(name);
    }
    for (const name of expected.keys())
      if (!shape.refused.some((one) => name.startsWith(one))) failures.push(`${name} is not opened any more`);
  } catch (error) {
    failures.push(failureOf(error));
  }
  return { way: "change", shape, images, contents, failures };
}

function requestsFor(names: readonly string[], random: Random): CommandRequest[] {
  const [removed, extended, shown] = random.shuffle(names);
  const requests: CommandRequest[] = [
    { command: "vgchange", group, addTags: ["changed"] },
    { command: "lvcreate", group, name: "fresh", extents: 2 },
    { command: "vgrename", group, newName: "other" },
    { command: "vgrename", group: "other", newName: group },
  ];
  if (shown !== undefined)
    requests.push({
      command: "lvcreate",
      group,
      name: "seen",
      snapshotOf: shown,
      extents: 3,
      chunkSize: "4k",
    });
  if (extended !== undefined) requests.push({ command: "lvextend", group, volume: extended, extents: "+2" });
  if (removed !== undefined && names.length > 3)
    requests.push({ command: "lvremove", group, volumes: [removed] });
  for (const volume of names) {
    requests.push({ command: "lvchange", group, volume, addTags: ["a", "b"] });
    requests.push({ command: "lvrename", group, volume, newName: `${volume}_r` });
  }
  return requests;
}

/** False: it was refused, and nothing was written. */
async function isDone(
  images: readonly Uint8Array[],
  request: CommandRequest,
  failures: string[],
): Promise<boolean> {
  const before = images.map((bytes) => bytes.slice());
  try {
    await commandOn(images, request);
    return true;
  } catch (error) {
    if (!isCevError(error) || error.code === "CEV_PROGRAM")
      failures.push(`${request.command}: ${failureOf(error)}`);
    if (images.some((bytes, index) => Buffer.compare(bytes, before[index]!) !== 0))
      failures.push(`${request.command} was refused, and written all the same: ${failureOf(error)}`);
    return false;
  }
}
