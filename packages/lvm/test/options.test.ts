import { describe, expect, test } from "vitest";
import { lvmDriver } from "../src/index.ts";

const { validate } = lvmDriver.options["~standard"];

test("no options mean every group and every visible volume", () => {
  for (const value of [undefined, null, {}])
    expect(validate(value)).toEqual({ value: { group: null, volumes: null } });
});

test("options are taken as they are", () => {
  const value = { group: "vg0", volumes: ["root", "swap"] };
  expect(validate(value)).toEqual({ value });
  expect(validate({ ...value, force: true })).toEqual({ value: { ...value, force: true } });
  expect(validate({ ...value, force: false })).toEqual({ value });
});

describe("is refused:", () => {
  test.each([
    ["a group that is no string", { group: 7 }, ["group"]],
    ["volumes that are no list", { volumes: "root" }, ["volumes"]],
    ["volumes that are not all names", { volumes: ["root", 1] }, ["volumes"]],
    ["a force that is neither true nor false", { force: "yes" }, ["force"]],
    ["an option that does not exist", { volume: "root" }, ["volume"]],
    ["a list", [], undefined],
    ["a string", "vg0", undefined],
  ])("%s", (_, value, path) => {
    expect(validate(value)).toMatchObject({ issues: [path === undefined ? {} : { path }] });
  });
});
