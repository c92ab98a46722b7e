import { describe, expect, test } from "vitest";
import { isCevError } from "@cev/core";
import { readGoldenGroup } from "../lvm-matrix/golden-group.ts";
import { flips } from "../lvm-matrix/hostile/damage.ts";
import { runHostile } from "../lvm-matrix/hostile/hostile-way.ts";
import { judgeDamage, takeGlimpses } from "../lvm-matrix/hostile/judge.ts";
import { putText, structuresOf, textOf } from "../lvm-matrix/hostile/structures.ts";
import { openGroup } from "../lvm-matrix/open-group.ts";
import { SHAPES } from "../lvm-matrix/shapes.ts";
import { Random } from "../src/random.ts";

// A sample; every byte and more texts: pnpm run lvm-matrix --way hostile.
const AMOUNT = { stride: 1201, rewriteCount: 6, seed: 11 };

const golden = SHAPES.filter((shape) => shape.golden !== null);

describe("damaged metadata of groups that LVM2 made: another copy serves, or an error names the place", () => {
  test.each(golden)("$name", async (shape) => {
    const { failures } = await runHostile(shape, AMOUNT);
    expect(failures).toEqual([]);
  });
});

test("the judge of damages notices a volume that is gone, or reads otherwise", async () => {
  const group = readGoldenGroup(SHAPES.find(({ name }) => name === "striped")!);
  const glimpses = await takeGlimpses(group);
  const [damage] = flips(group.images, (index) => index === 0);
  expect(await judgeDamage(group, glimpses, damage!)).toEqual([]);
  const others = new Map(
    [...glimpses].map(([name, one]) => [name, { ...one, pieces: [{ at: 0, bytes: new Uint8Array(8) }] }]),
  );
  const torn = flips(group.images, (index) => index > 5000).find(
    (one) => one.structure === "text" && one.scope === "one" && !one.isSealed,
  )!;
  expect((await judgeDamage(group, others, torn)).join()).toMatch(/two reads otherwise/);
  const worse = {
    ...torn,
    apply: (images: readonly Uint8Array[]): void => images.forEach((bytes) => bytes.fill(0, 0, 4096)),
  };
  expect((await judgeDamage(group, glimpses, { ...worse, hits: [0, 1, 2], scope: "one" })).join()).toMatch(
    /not opened/,
  );
});

// Whoever counted to 2^60, or allocated as much, would not come to an end.
describe("claims that nobody can keep are refused at once, with line and column", () => {
  const group = readGoldenGroup(SHAPES.find(({ name }) => name === "striped")!);
  const structure = structuresOf(group.images[0]!, "pv0").find(({ name }) => name === "text")!;
  const text = textOf(group.images[0]!, structure);
  const huge = "1152921504606846976";

  const claims: Record<string, string> = {
    "sections nested 10,000 deep": text.replace(
      "logical_volumes {",
      `logical_volumes {${"a {".repeat(10_000)}${"}".repeat(10_000)}`,
    ),
    "sections nested 10,000 deep that never end": `vg {${"a{".repeat(10_000)}`,
    "lists nested 10,000 deep": text.replace("status = [", `status = ${"[".repeat(10_000)}`),
    "2^60 extents of a segment": text.replace(/extent_count = \d+/, `extent_count = ${huge}`),
    "2^60 extents of a physical volume": text.replace(/pe_count = \d+/, `pe_count = ${huge}`),
    "extents of 2^60 sectors": text.replace(/extent_size = \d+/, `extent_size = ${huge}`),
    "2^60 segments": text.replace(/segment_count = \d+/, `segment_count = ${huge}`),
    "2^60 stripes": text.replace(/stripe_count = \d+/, `stripe_count = ${huge}`),
    "a number of 10,000 digits": text.replace(/seqno = \d+/, `seqno = ${"9".repeat(10_000)}`),
    "a text that never ends": text
      .replace(/creation_host = "/, `creation_host = "${"x".repeat(10_000)}`)
      .replaceAll('"\n', "\n"),
  };

  test.each(Object.entries(claims))("%s", async (_, claim) => {
    expect(claim).not.toBe(text);
    const images = group.images.map((bytes) => bytes.slice());
    for (const bytes of images) putText(bytes, Buffer.from(`${claim}\0`, "latin1"));
    const before = images.map((bytes) => bytes.slice());
    const told = await openGroup(images, new Random(1)).then(
      async (stack) => {
        await stack.close();
        expect(stack.devices.filter(({ name }) => name.includes("/"))).toEqual([]);
        return stack.problems.map(({ message }) => message).join("\n");
      },
      (error: unknown) => {
        if (!isCevError(error)) throw error;
        return error.message;
      },
    );
    expect(told).toMatch(/pv\d.*metadata area 0.*line \d+, column \d+/s);
    images.forEach((bytes, index) => expect(Buffer.compare(bytes, before[index]!)).toBe(0));
  });
});
