import { parseKeep, runOfSeed } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { argumentsOf, notIn } from "../arguments.ts";
import { KINDS } from "../kinds/index.ts";

describe("what the simulator is asked for", () => {
  test.each([
    [["--steps", "nope"], "--steps nope"],
    [["--steps", "0"], "--steps 0"],
    [["--minutes", "-1"], "minutes"],
    [["--minutes", "soon"], "--minutes soon"],
    [["--seed=-1"], "--seed -1"],
    [["--jobs", "0"], "--jobs 0"],
    [["--seeds", "0"], "--seeds 0"],
    [["--failures", "none"], "--failures none"],
    [["--kinds", "raid-mirror,rad"], '"rad"'],
    [["--mutant", "x"], '"x"'],
    [["--keep", "1-"], "--keep 1-"],
    [["--stack", "disk("], "--stack disk("],
    [["--bogus"], "--bogus"],
  ])("%j is refused, and names what is wrong", (given, named) => {
    expect(argumentsOf(given)).toContain(named);
  });

  test("steps and requests that the run of a seed does not have are named", () => {
    const { script } = runOfSeed(4, KINDS);
    const batch = script.find((step) => step.do === "batch")!;
    const { length } = batch.requests;
    const said = (keep: string): string | null => notIn(script, parseKeep(keep)!);
    expect(said(`0,${batch.index}:${length - 1}`)).toBeNull();
    expect(said(`0-${script.length}`)).toContain(`step ${script.length}:`);
    expect(said(`${batch.index}:0.${length}`)).toContain(`request ${length} in step ${batch.index}:`);
  });

  test("a search, and a replay line, are taken as they are", () => {
    expect(argumentsOf(["--", "--seed", "7", "--minutes", ".5"])).toMatchObject({ seed: "7", minutes: ".5" });
    expect(argumentsOf(["--seed", "7", "--keep", "0,3-5,7:1.2", "--version", "5.abcdef"])).toMatchObject({
      keep: "0,3-5,7:1.2",
    });
  });
});
