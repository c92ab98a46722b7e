import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { raid0 } from "../src/levels/raid0.ts";
import { raid10 } from "../src/levels/raid10.ts";
import { RAID5_LAYOUTS } from "../src/levels/raid5.ts";
import { RAID6_LAYOUTS } from "../src/levels/raid6.ts";
import { MirrorMap } from "../src/levels/mirror-map.ts";
import type { StripeLayout } from "../src/levels/stripe-layout.ts";

const TEXT = readFileSync(new URL("../../../docs/formats/md-layouts.md", import.meta.url), "utf8");

/** The cells of the rows below a heading that begin with a number. */
function rowsBelow(heading: string): string[][] {
  const start = TEXT.indexOf(`\n## ${heading}\n`);
  const end = TEXT.indexOf("\n## ", start + 1);
  return TEXT.slice(start, end < 0 ? undefined : end)
    .split("\n")
    .filter((line) => /^\| (0x)?[0-9a-f]+ \|/.test(line))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

function stripesOf(layout: StripeLayout, memberCount: number): string[] {
  return [...new Array(memberCount).keys()].map((stripe) => {
    const row = [...new Array(memberCount).keys()].map((member) => {
      const column = layout.columnOf(stripe, member, memberCount);
      return column === -1 ? "P" : column === -2 ? "Q" : "abc".charAt(column);
    });
    return `\`${row.join("")}\``;
  });
}

it("the tables of RAID5's and RAID6's layouts are what the code does", () => {
  expect(rowsBelow("RAID4 and RAID5")).toEqual(
    RAID5_LAYOUTS.map((layout) => [`${layout.number}`, layout.name, ...stripesOf(layout, 4)]),
  );
  const powers = (layout: StripeLayout, stripe: number): string =>
    [0, 1, 2].map((column) => layout.qExponent(stripe, column, 5)).join(", ");
  expect(rowsBelow("RAID6")).toEqual(
    RAID6_LAYOUTS.map((layout) => [
      `${layout.number}`,
      layout.name,
      ...stripesOf(layout, 5),
      `${powers(layout, 0)}; ${powers(layout, 1)}`,
    ]),
  );
});

it("the table of RAID10's layouts is what the code does, and names are mdadm's", () => {
  const rows = rowsBelow("RAID10").filter(([number]) => number!.startsWith("0x"));
  expect(rows.length).toBe(4);
  for (const [number, name, members] of rows) {
    const layout = Number(number);
    const memberCount = members!.split("` `").length;
    const memberSizes = new Array<number>(memberCount).fill(4 * 4096);
    const map = new MirrorMap({ level: 10, layout, chunkSize: 4096, memberCount, memberSizes });
    const held = memberSizes.map((_, member) =>
      [0, 1, 2, 3].map((chunk) => map.arrayOffsetOf(member, chunk * 4096) / 4096).join(" "),
    );
    expect(members).toBe(held.map((chunks) => `\`${chunks}\``).join(" "));
    expect(raid10.layoutName(layout, memberCount)).toBe(name);
  }
});

it("the table of RAID0's layouts has their names", () => {
  for (const [number, name] of rowsBelow("RAID0")) expect(raid0.layoutName(Number(number), 2)).toBe(name);
  expect(rowsBelow("RAID0").length).toBe(3);
});
