import type { StandardSchema } from "@cev/core";
import { describe, expect, test } from "vitest";
import { DriverRegistry, openStack, optionsSchemaOf, stackSchema } from "../src/index.ts";
import type { AnyDriver } from "../src/index.ts";
import { anyOptions, driverOf, environment, failureOf, memoryDriver, passDriver } from "./helpers.ts";

/** A validator that says of itself what it accepts. */
function speaking(input: (options: { readonly target: string }) => object): StandardSchema<never> {
  return {
    "~standard": {
      ...anyOptions["~standard"],
      jsonSchema: { input: (options) => input(options) as Readonly<Record<string, unknown>> },
    },
  } as StandardSchema<never>;
}

function silent(options: StandardSchema<never>): AnyDriver {
  const { interfaceVersion, summary, lowers } = passDriver;
  return {
    name: "silent",
    interfaceVersion,
    summary,
    lowers,
    options,
    open: (context) => passDriver.open(context),
  };
}

describe("the JSON Schema of options", () => {
  const schema = { type: "object", properties: { size: { type: "integer", description: "Bytes" } } };

  test("is the driver's own", () => {
    expect(optionsSchemaOf(driverOf({ name: "own", optionsSchema: schema }))).toBe(schema);
  });

  test("is what its validator says, as plain data", () => {
    const asked: string[] = [];
    const driver = silent(
      speaking(({ target }) => {
        asked.push(target);
        return { ...schema, "~standard": () => 1 };
      }),
    );
    expect(optionsSchemaOf(driver)).toEqual(schema);
    expect(asked).toEqual(["draft-2020-12"]);
  });

  test.each([
    ["says nothing", anyOptions as StandardSchema<never>],
    [
      "cannot put it so",
      speaking(() => {
        throw new Error("a transformation");
      }),
    ],
  ])("is that of any options where the validator %s", (_what, options) => {
    expect(optionsSchemaOf(silent(options))).toEqual({ type: "object" });
  });

  test("that nobody knows lets an editor take any option, and the validator gets them", async () => {
    const seen: unknown[] = [];
    const driver = silent({
      "~standard": {
        ...anyOptions["~standard"],
        validate: (value) => {
          seen.push(value);
          return { value: value as never };
        },
      },
    });
    const { $defs } = stackSchema([driver]) as {
      $defs: { device: { allOf: { then: Record<string, unknown> }[] } };
    };
    expect($defs.device.allOf[0]!.then).toMatchObject({ additionalProperties: true });
    await using stack = await openStack(
      { devices: { d0: { driver: "memory" }, top: { driver: "silent", lower: "d0", deep: { a: [1] } } } },
      { environment, drivers: [memoryDriver, driver] },
    );
    expect(stack.devices).toHaveLength(2);
    expect(seen).toEqual([{ deep: { a: [1] } }]);
  });

  test("keeps references within it", () => {
    const $defs = { size: { type: "integer" } };
    const driver = driverOf({
      name: "@a/b",
      optionsSchema: { type: "object", properties: { size: { $ref: "#/$defs/size" } }, $defs },
    });
    const whole = stackSchema([driver]) as { $defs: { device: { allOf: { then: object }[] } } };
    expect(whole.$defs.device.allOf[0]!.then).toMatchObject({ $id: "urn:cev:options:%40a%2Fb", $defs });
  });
});

test("a validator may be a function, and has to be one that follows Standard Schema", async () => {
  const callable = Object.assign(() => undefined, anyOptions) as unknown as StandardSchema<never>;
  const description = { devices: { d0: { driver: "memory" }, top: { driver: "x", lower: "d0", deep: 1 } } };
  const drivers = [memoryDriver, { ...silent(callable), name: "x" }];
  await using stack = await openStack(description, { environment, drivers });
  expect(stack.devices).toHaveLength(2);
  for (const options of [undefined, null, () => true, {}, { "~standard": {} }, { "~standard": null }]) {
    const broken = { ...silent(callable), name: "x", options: options as never };
    const { code, line } = await failureOf(Promise.resolve().then(() => new DriverRegistry([broken])));
    expect(`${code} ${line}`).toMatch(/^CEV_INVALID .*lacks its options.*Standard Schema/);
  }
});

describe("options that are wrong", () => {
  const issuesOf = (...issues: { message: string; path?: (string | number)[] }[]): AnyDriver =>
    driverOf({
      name: "picky",
      options: { "~standard": { ...anyOptions["~standard"], validate: () => ({ issues }) } },
    });
  const opened = (driver: AnyDriver): Promise<unknown> =>
    openStack(
      { devices: { d0: { driver: "memory" }, top: { driver: "picky", lower: "d0" } } },
      { environment, drivers: [memoryDriver, driver] },
    );

  test("are all told, each with its place: the first in front", async () => {
    const driver = issuesOf(
      { message: "expected a number", path: ["rules", 1, "count"] },
      { message: "is missing", path: ["size"] },
      { message: "they do not fit" },
    );
    const { line } = await failureOf(opened(driver));
    expect(line).toMatch(
      /: devices\.top\.rules\[1\]\.count: expected a number; further devices\.top\.size: is missing; devices\.top: they do not fit$/,
    );
  });

  test("are told without end in one line of some length", async () => {
    const many = Array.from({ length: 500 }, (_, index) => ({ message: "is wrong", path: ["rules", index] }));
    const { line } = await failureOf(opened(issuesOf(...many)));
    expect(line).toMatch(/rules\[10\]: is wrong; 489 more$/);
  });

  test("are told also where the validator does not say why", async () => {
    expect((await failureOf(opened(issuesOf()))).line).toMatch(/devices\.top: is not valid$/);
  });
});
