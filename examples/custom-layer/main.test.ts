import { environmentFrom } from "@cev/core";
import { expect, test } from "vitest";
import { healRot } from "./heal.ts";

test("a mirror heals what checksums find, and passes on what nobody notices", async () => {
  const lines: string[] = [];
  const outcome = await healRot(environmentFrom(globalThis), (line) => lines.push(line));
  expect(outcome).toEqual({ rottenBytes: 48, wrongWithSums: 0, wrongWithout: 48 });
  expect(lines).toEqual(["with checksums: 0 of 48 rotten bytes were read", "without: 48 of 48"]);
});
