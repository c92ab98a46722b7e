import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { contestants } from "../nbd-conformance/contestants.ts";
import type { Contestant } from "../nbd-conformance/contestants.ts";
import { judge } from "../nbd-conformance/judge.ts";
import { KNOWN_FINDINGS } from "../nbd-conformance/known-findings.ts";
import { misquotes } from "../nbd-conformance/quotes.ts";
import { findingStart } from "../nbd-conformance/tables.ts";
import { cev } from "../src/cev.ts";
import { describeWith } from "../src/tools.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nbdc-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function all(): Contestant[] {
  return contestants({
    folder,
    credentials: folder,
    newQemuNbd: null,
    nbdServer: null,
    newNbdServer: null,
  });
}

function contestant(name: string): Contestant {
  return all().find((one) => one.name === name)!;
}

test("docs/conformance.md has a line for every server that is tried, and for what is known of others, and no other", () => {
  const rows = readFileSync(new URL("../../../docs/conformance.md", import.meta.url), "utf8").split("\n");
  const counted = rows
    .filter((row) => /^\|.*(\| \d+ ){5}\|$/.test(row))
    .map((row) => row.split(" | ")[0]!.slice(2));
  expect(counted).toEqual(all().map(({ name }) => name));
  const found = rows.filter(
    (row) => /^\| [a-z-]+ \| `[a-z]+\//.test(row) || row.startsWith("| qemu-nbd | `*/"),
  );
  expect(found).toHaveLength(KNOWN_FINDINGS.length);
  for (const [index, finding] of KNOWN_FINDINGS.entries())
    expect(found[index]).toContain(findingStart(finding));
});

describeWith(["nbdkit"], "cev nbd-conformance", () => {
  test("finds in nbdkit what is known of it, and nothing else", async () => {
    const { checks, unknown } = await judge(contestant("nbdkit memory"), { folder, only: "meta/" });
    expect(unknown).toEqual([]);
    const failed = checks.filter(({ verdict }) => verdict === "failed").map(({ name }) => name);
    expect(failed).toContain("meta/same-query-twice-selects-once");
  });

  test("ends with 3 where no server answers", async () => {
    const { status, stderr } = await cev(["nbd-conformance", `nbd+unix:///?socket=${join(folder, "none")}`]);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^cev: .*none: no server answers/);
  });

  test("notices a sentence that does not stand in the document", () => {
    const check = { name: "a/b", level: "must", section: "", verdict: "passed" } as const;
    const text = "The server MUST\n  answer, and SHOULD do so soon.";
    expect(misquotes([{ ...check, sentence: "The server MUST answer … soon." }], [text])).toEqual([]);
    expect(misquotes([{ ...check, sentence: "The server MAY answer" }], [text])).toHaveLength(1);
  });
});
