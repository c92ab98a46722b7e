import { describe, expect, test } from "vitest";
import { INTERFACE_VERSION, INTERFACE_VERSIONS, interfaceIssue } from "../src/index.ts";

describe("the version of the interface that a driver was written for", () => {
  test("is understood from the oldest to the current one", () => {
    const { oldest, current } = INTERFACE_VERSIONS;
    expect(current).toBe(INTERFACE_VERSION);
    for (let version = oldest; version <= current; version++) expect(interfaceIssue(version)).toBeNull();
    expect(interfaceIssue(oldest - 1)).not.toBeNull();
    expect(interfaceIssue(current + 1)).not.toBeNull();
  });

  test("is still understood when there is a newer one", () => {
    const known = { oldest: 1, current: 2 };
    expect(interfaceIssue(1, known)).toBeNull();
    expect(interfaceIssue(2, known)).toBeNull();
  });

  test.each([
    [0, /was written for version 0 .* only version 1 is known .* built for a newer @cev\/core$/],
    [99, /was written for version 99 .* only version 1 is known .* a newer cev is needed$/],
    ["1", /does not say .* has to be a whole number$/],
    [1.5, /does not say/],
    [-1, /does not say/],
    [Number.NaN, /does not say/],
    [undefined, /does not say/],
  ])("%s is refused in words", (version, words) => {
    expect(interfaceIssue(version, { oldest: 1, current: 1 })).toMatch(words);
  });

  test("that is no longer, or not yet, understood is told with those that are", () => {
    const known = { oldest: 2, current: 3 };
    expect(interfaceIssue(1, known)).toMatch(/only versions 2 to 3 are known/);
    expect(interfaceIssue(4, known)).toMatch(/only versions 2 to 3 are known/);
  });
});
