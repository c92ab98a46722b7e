import { isCevError } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { expect } from "vitest";
import { physicalAreasOf } from "../../src/allocate/free-space.ts";
import { changeVolume, renameVolume } from "../../src/commands/change-volume.ts";
import type { ChangeInputs, GroupChange } from "../../src/commands/change.ts";
import { createGroup } from "../../src/commands/change-group.ts";
import { createVolume } from "../../src/commands/create-volume.ts";
import { removeVolumes } from "../../src/commands/remove-volume.ts";
import { resizeVolume } from "../../src/commands/resize-volume.ts";
import type { VolumeGroup } from "../../src/index.ts";
import { encodeGroupText } from "../../src/model/encode-group.ts";
import { decodeGroup, identifyGroup } from "../../src/model/group.ts";
import { newUuidSource } from "../support/command-bench.ts";

const EXTENTS = [40, 25, 60];
const EXTENT_SIZE = 65_536;

type Step =
  | {
      readonly kind: "create";
      readonly name: number;
      readonly extents: number;
      readonly stripes: number;
      readonly alloc: number;
    }
  | { readonly kind: "share"; readonly name: number; readonly percent: number; readonly of: number }
  | { readonly kind: "snapshot"; readonly name: number; readonly origin: number; readonly extents: number }
  | { readonly kind: "extend"; readonly name: number; readonly extents: number; readonly alloc: number }
  | { readonly kind: "reduce"; readonly name: number; readonly extents: number }
  | { readonly kind: "rename"; readonly name: number; readonly to: number }
  | { readonly kind: "remove"; readonly name: number }
  | { readonly kind: "tag"; readonly name: number; readonly tag: number };

const name = fc.nat(40);
const ALLOC = ["contiguous", "cling", "normal", "anywhere", "inherit"] as const;
const OF = ["VG", "FREE", "PVS"] as const;
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("create" as const),
    name,
    extents: fc.integer({ min: 1, max: 30 }),
    stripes: fc.integer({ min: 1, max: 3 }),
    alloc: fc.nat(4),
  }),
  fc.record({
    kind: fc.constant("share" as const),
    name,
    percent: fc.integer({ min: 1, max: 60 }),
    of: fc.nat(2),
  }),
  fc.record({
    kind: fc.constant("snapshot" as const),
    name,
    origin: name,
    extents: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({
    kind: fc.constant("extend" as const),
    name,
    extents: fc.integer({ min: 1, max: 20 }),
    alloc: fc.nat(4),
  }),
  fc.record({ kind: fc.constant("reduce" as const), name, extents: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ kind: fc.constant("rename" as const), name, to: name }),
  fc.record({ kind: fc.constant("remove" as const), name }),
  fc.record({ kind: fc.constant("tag" as const), name, tag: fc.nat(2) }),
);

/** A step that changes something aims at what there is. */
function aimed(step: Step, names: readonly string[]): Step {
  const known = (index: number): number => Number((names[index % names.length] ?? "v0").slice(1));
  if (step.kind === "create" || step.kind === "share") return step;
  if (step.kind === "snapshot") return { ...step, origin: known(step.origin) };
  return { ...step, name: known(step.name) };
}

/** What users see: sizes in extents by name, and who is whose snapshot. */
interface Expected {
  readonly sizes: Map<string, number>;
  readonly origins: Map<string, string>;
}

function run(group: VolumeGroup, step: Step, inputs: ChangeInputs): GroupChange {
  const volume = `v${step.name}`;
  switch (step.kind) {
    case "create":
      return createVolume(
        group,
        {
          command: "lvcreate",
          name: volume,
          extents: step.extents,
          stripes: step.stripes,
          stripeSize: "4k",
          alloc: ALLOC[step.alloc],
        },
        inputs,
      );
    case "share":
      return createVolume(
        group,
        { command: "lvcreate", name: volume, extents: `${step.percent}%${OF[step.of]}` },
        inputs,
      );
    case "snapshot":
      return createVolume(
        group,
        { command: "lvcreate", name: volume, snapshotOf: `v${step.origin}`, extents: step.extents },
        inputs,
      );
    case "extend":
      return resizeVolume(
        group,
        { command: "lvextend", volume, extents: `+${step.extents}`, alloc: ALLOC[step.alloc] },
        inputs,
      );
    case "reduce":
      return resizeVolume(
        group,
        { command: "lvreduce", volume, extents: `-${step.extents}`, force: true },
        inputs,
      );
    case "rename":
      return renameVolume(group, { command: "lvrename", volume, newName: `v${step.to}` });
    case "remove":
      return removeVolumes(group, { command: "lvremove", volumes: [volume], force: true });
    case "tag":
      return changeVolume(group, { command: "lvchange", volume, addTags: [`t${step.tag}`] });
  }
}

/** The names and origins as they must be now; sizes of what was made or resized are asked from the group, within bounds. */
function follow(expected: Expected, step: Step, group: VolumeGroup): void {
  const volume = `v${step.name}`;
  const { sizes, origins } = expected;
  const size = group.logicalVolumes.find((one) => one.name === volume)?.extentCount ?? 0;
  const before = sizes.get(volume) ?? 0;
  switch (step.kind) {
    case "create":
      expect(size).toBe(Math.ceil(step.extents / step.stripes) * step.stripes);
      sizes.set(volume, size);
      break;
    case "share":
      expect(size).toBeGreaterThan(0);
      sizes.set(volume, size);
      break;
    case "snapshot":
      expect(size).toBeLessThanOrEqual(step.extents);
      expect(size).toBeGreaterThan(0);
      sizes.set(volume, size);
      origins.set(volume, `v${step.origin}`);
      break;
    case "extend":
      if (!origins.has(volume)) expect(size - before).toBeGreaterThanOrEqual(step.extents);
      expect(size - before).toBeLessThan(step.extents + 3);
      expect(size).toBeGreaterThan(before);
      sizes.set(volume, size);
      break;
    case "reduce":
      expect(before - size).toBeGreaterThan(0);
      expect(before - size).toBeLessThanOrEqual(step.extents);
      sizes.set(volume, size);
      break;
    case "rename":
      sizes.delete(volume);
      sizes.set(`v${step.to}`, before);
      for (const [snapshot, origin] of origins) if (origin === volume) origins.set(snapshot, `v${step.to}`);
      if (origins.has(volume)) origins.set(`v${step.to}`, origins.get(volume)!);
      origins.delete(volume);
      break;
    case "remove":
      for (const [snapshot, origin] of origins)
        if (origin === volume) {
          sizes.delete(snapshot);
          origins.delete(snapshot);
        }
      sizes.delete(volume);
      origins.delete(volume);
      break;
    case "tag":
      break;
  }
}

function checkInvariants(group: VolumeGroup, expected: Expected): void {
  const links = group.logicalVolumes.filter(({ segments }) => segments[0]?.mapping.kind === "snapshot");
  const sizes = group.logicalVolumes.filter((volume) => !links.includes(volume));
  expect(Object.fromEntries(sizes.map((volume) => [volume.name, volume.extentCount]))).toEqual(
    Object.fromEntries(expected.sizes),
  );
  const pairs = links.map(({ segments }) => {
    const { mapping } = segments[0]!;
    return mapping.kind === "snapshot" ? [mapping.store, mapping.origin] : [];
  });
  expect(Object.fromEntries(pairs)).toEqual(Object.fromEntries(expected.origins));
  const used = new Set<string>();
  for (const volume of group.logicalVolumes) {
    let end = 0;
    for (const { startExtent, extentCount } of volume.segments) {
      expect(startExtent).toBe(end);
      end += extentCount;
    }
    expect(volume.extentCount).toBe(end);
    for (const { physicalVolume, startExtent, extentCount } of physicalAreasOf(volume)) {
      expect(startExtent + extentCount).toBeLessThanOrEqual(physicalVolume.extentCount);
      for (let extent = startExtent; extent < startExtent + extentCount; extent++) {
        expect(used.has(`${physicalVolume.name} ${extent}`)).toBe(false);
        used.add(`${physicalVolume.name} ${extent}`);
      }
    }
  }
}

const ORIGIN = { description: "test", creationHost: "host", creationTime: 1_700_000_000 };

/** A fresh group of three physical volumes. */
function newGroup(inputs: ChangeInputs): VolumeGroup {
  const members = EXTENTS.map((count, index) => ({
    device: `d${index}`,
    uuid: inputs.newUuid(),
    size: (count + 16) * EXTENT_SIZE,
    dataOffset: 16 * EXTENT_SIZE,
    dataEnd: (count + 16) * EXTENT_SIZE,
    bootloaderArea: null,
  }));
  return createGroup(
    {
      name: "vg",
      extentSize: EXTENT_SIZE,
      members,
      allocation: "",
      tags: [],
      logicalVolumesMax: 0,
      physicalVolumesMax: 0,
    },
    inputs,
  ).group;
}

test.prop([fc.array(step, { minLength: 50, maxLength: 50 })], { numRuns: 15 })(
  "sequences of 50 commands keep names, sizes and origins as asked for, use no extent twice, and survive their text",
  (steps) => {
    const inputs: ChangeInputs = {
      names: new Map(),
      newUuid: newUuidSource(3),
      now: 1_700_000_000,
      hostname: "host",
    };
    const expected: Expected = { sizes: new Map(), origins: new Map() };
    let group = newGroup(inputs);
    let changeCount = 0;
    for (const step of steps) {
      const one = aimed(step, [...expected.sizes.keys()]);
      let change: GroupChange;
      try {
        change = run(group, one, inputs);
      } catch (error) {
        // A refusal is an answer, and nothing has changed.
        expect(isCevError(error)).toBe(true);
        continue;
      }
      const text = encodeGroupText({ ...change.group, seqno: group.seqno + 1 }, ORIGIN);
      const decoded = decodeGroup(identifyGroup(text));
      expect(encodeGroupText(decoded, ORIGIN)).toBe(text);
      group = decoded;
      changeCount++;
      follow(expected, one, group);
      checkInvariants(group, expected);
      for (const { physicalVolume, offset, bytes } of change.fills) {
        const end = physicalVolume.dataOffset + physicalVolume.extentCount * EXTENT_SIZE;
        expect(offset).toBeGreaterThanOrEqual(physicalVolume.dataOffset);
        expect(offset + bytes.length).toBeLessThanOrEqual(end);
      }
    }
    expect(changeCount).toBeGreaterThan(5);
  },
);
