import { standardDrivers } from "@cev/cli";
import { optionsSchemaOf } from "@cev/stack";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { changed, fits, unknownKeywords, valuesOf } from "../json-schema.ts";
import { rulesOf } from "../option-rules.ts";

const registry = standardDrivers();
const RUNS = { numRuns: Number(process.env["CEV_OPTION_RUNS"] ?? 200) };

describe.each(registry.names)("the options of %s", async (name) => {
  const driver = (await registry.find(name))!;
  const schema = optionsSchemaOf(driver);
  const { rules, given } = rulesOf(name);

  /** True: the validator takes them; false: it does not; null: a rule is about them that cannot be judged here. */
  function expected(options: unknown): boolean | null {
    if (!fits(schema, options)) return false;
    const kept = rules.map(({ isKept }) => isKept(options));
    return kept.includes(false) ? false : kept.includes(null) ? null : true;
  }

  const takes = async (options: unknown): Promise<boolean> =>
    (await driver.options["~standard"].validate(options)).issues === undefined;

  test("have a JSON Schema in which all is known to these tests", () => {
    expect(unknownKeywords(schema)).toEqual([]);
  });

  test("are taken by the validator where the JSON Schema accepts them and the rules beside it are kept", async () => {
    await fc.assert(
      fc.asyncProperty(valuesOf(schema, given), async (options) => {
        const is = expected(options);
        if (is !== null) expect(await takes(options)).toBe(is);
      }),
      RUNS,
    );
  });

  test("are refused by the validator where the JSON Schema refuses them", async () => {
    const values = valuesOf(schema, given).chain((options) => changed(options));
    await fc.assert(
      fc.asyncProperty(values, async (options) => {
        if (expected(options) === false) expect(await takes(options)).toBe(false);
      }),
      RUNS,
    );
  });

  if (rules.length === 0) return;
  test.each(rules.map(({ says, isKept }) => [says, isKept] as const))(
    "have the rule that %s",
    (_says, isKept) => {
      const values = valuesOf(schema, given).chain((options) =>
        fc.oneof(fc.constant(options), changed(options)),
      );
      const judged = fc
        .sample(values, { numRuns: 500, seed: 1 })
        .filter((options) => fits(schema, options))
        .map(isKept);
      expect(judged).toContain(true);
      expect(judged.includes(false) || judged.includes(null)).toBe(true);
    },
  );
});
