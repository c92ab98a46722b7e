import { CevError } from "@cev/core";
import { describe, expect, test } from "vitest";
import { DriverRegistry, isStackFilePath, openImages, openSource, openStack } from "../src/index.ts";
import type { AnyDriver } from "../src/index.ts";
import { disk, driverOf, environment, failureOf } from "./helpers.ts";

describe("URIs", () => {
  const netDriver: AnyDriver = {
    ...driverOf({
      name: "net",
      lowers: { countMin: 0, countMax: 0 },
      open: ({ options }) => {
        const { at, readOnly } = options as { at: string; readOnly?: boolean };
        const details = { at, ...(readOnly === undefined ? {} : { readOnly }) };
        return Promise.resolve([{ name: null, layer: disk("box:-:far"), state: "clean", details }]);
      },
    }),
    uriSchemes: ["net", "net+tls"],
    fromUri(uri) {
      if (uri.includes("wrong")) throw new CevError("CEV_INVALID", "this is no URI of net");
      return { options: { at: uri.slice(uri.indexOf("//") + 2) }, name: "far" };
    },
  };
  const withNet = new DriverRegistry([netDriver]);

  test("find the driver that knows their scheme, and get names of their own", async () => {
    const sources = ["net://one", "NET+TLS://two"];
    await using stack = await openImages(sources, { environment, drivers: withNet });
    const found = stack.devices.filter((one) => one.lowers.length === 0);
    expect(found.map(({ name, driver, details }) => [name, driver, details["at"]])).toEqual([
      ["far", "net", "one"],
      ["far-2", "net", "two"],
    ]);
    await using again = await openStack(stack.describe(), { environment, drivers: withNet });
    expect(again.devices.map(({ name }) => name)).toEqual(stack.devices.map(({ name }) => name));
  });

  test("of one name get as much in front as tells them apart, and a number where nothing does", async () => {
    const longer: AnyDriver = {
      ...netDriver,
      fromUri: (uri) => {
        const at = uri.slice(uri.indexOf("//") + 2);
        return { options: { at }, name: at.slice(at.lastIndexOf("/") + 1), longName: at.split("?")[0]! };
      },
    };
    const sources = ["net://a/m.s", "net://b/m.s", "net://c/other\u0000", "net://c/m.s?1", "net://c/m.s?2"];
    await using stack = await openImages(sources, { environment, drivers: [longer] });
    const found = stack.devices.filter((one) => one.lowers.length === 0);
    expect(found.map(({ name }) => name)).toEqual(["a/m.s", "b/m.s", "other?", "c/m.s", "c/m.s-2"]);
  });

  test("are no paths: neither a folder nor the end of the name counts", async () => {
    const options = { environment, drivers: withNet, directory: "/elsewhere" };
    await using stack = await openImages(["net://host/stack.yaml"], options);
    expect(stack.find("far").details["at"]).toBe("host/stack.yaml");
    expect(isStackFilePath("net://host/stack.yaml")).toBe(false);
    expect(isStackFilePath("host/stack.yaml")).toBe(true);
  });

  test.each([
    [["net://one", "net://one"], "CEV_AMBIGUOUS"],
    [["net://wrong"], "CEV_INVALID"],
    [["gopher://one"], "CEV_NOT_SUPPORTED"],
  ])("%j is refused with %s", async (sources, code) => {
    const refused = openImages(sources, { environment, drivers: withNet });
    expect(await failureOf(refused)).toMatchObject({ code });
  });

  test("one alone is opened whatever is in it", async () => {
    const options = { environment, drivers: withNet, isReadOnly: true };
    const { name, layer } = await openSource("net://one", options);
    expect(name).toBe("far");
    expect(layer.limits.size).toBeGreaterThan(0);
  });
});
