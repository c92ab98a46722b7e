import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { contestants } from "../nbd-conformance/contestants.ts";
import type { Contestant } from "../nbd-conformance/contestants.ts";
import { judge } from "../nbd-conformance/judge.ts";
import { misquotes } from "../nbd-conformance/quotes.ts";
import { cev } from "../src/cev.ts";
import { describeWith } from "../src/tools.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "nbdc-"));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function contestant(name: string): Contestant {
  const all = contestants({
    folder,
    credentials: folder,
    newQemuNbd: null,
    nbdServer: null,
    newNbdServer: null,
  });
  return all.find((one) => one.name === name)!;
}

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
