import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { countLine } from "../../../scripts/count.ts";

const fixture = join(import.meta.dirname, "../fixtures/counted");

function lastLineOf(...filters: string[]): string {
  const output = execFileSync(process.execPath, [join(fixture, "run.ts"), fixture, ...filters], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return output.trimEnd().split("\n").at(-1) ?? "";
}

describe("the last line of a run", () => {
  test("tells tests that passed, failed and were skipped apart", () => {
    expect(lastLineOf("mixed")).toBe("1 passed, 1 failed, 1 skipped");
  });

  test("counts a file that does not load as a failure", () => {
    expect(lastLineOf("broken-file")).toBe("0 passed, 1 failed");
  });

  test("counts a hook that throws as a failure, before its tests and after", () => {
    expect(lastLineOf("broken-hooks")).toBe("1 passed, 2 failed, 1 skipped");
  });

  test("adds up over files", () => {
    expect(lastLineOf()).toBe("2 passed, 4 failed, 2 skipped");
  });

  test("leaves skipped tests out where there are none", () => {
    expect(countLine({ passed: 3, failed: 0, skipped: 0 })).toBe("3 passed, 0 failed");
  });
});
