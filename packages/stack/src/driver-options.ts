import { CevError, isCevError } from "@cev/core";
import type { Json, StandardResult } from "@cev/core";
import { descriptionError, pathText, placed } from "./places.ts";
import type { AnyDriver } from "./registry.ts";

/**
 * Checks and completes a driver's options through its own schema. Throws `CEV_INVALID` with the place in the description of what is wrong
 * first, and with everything else that is wrong as its hint.
 */
export async function checkOptions(
  driver: CheckingDriver,
  options: { readonly [key: string]: Json },
  source: string,
  keys: readonly PropertyKey[],
): Promise<unknown> {
  const result = await validated(driver, options, source, keys);
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(({ path = [], message }) => ({
    path: pathText([...keys, ...path.map((item) => (typeof item === "object" ? item.key : item))]),
    message,
  }));
  const [first = { path: pathText(keys), message: "is not valid" }, ...others] = issues;
  const hint = others.slice(0, OTHERS_MAX).map(({ path, message }) => `${path}: ${message}`);
  if (others.length > OTHERS_MAX) hint.push(`${others.length - OTHERS_MAX} more`);
  throw descriptionError("CEV_INVALID", source, first.path, first.message, {
    ...(hint.length > 0 && { hint: `further ${hint.join("; ")}` }),
  });
}

// What is said of one mistake in each line of a long list helps nobody.
const OTHERS_MAX = 10;

/** A validator tells what is wrong; one that throws, or tells nothing, is wrong itself. */
async function validated(
  driver: CheckingDriver,
  options: { readonly [key: string]: Json },
  source: string,
  keys: readonly PropertyKey[],
): Promise<StandardResult<unknown>> {
  try {
    return await validate(driver, options);
  } catch (error) {
    throw placed(error, source, pathText(keys));
  }
}

/** What a driver's schema says of options. Throws `CEV_PROGRAM` where that fails, or gives neither options nor issues. */
export async function validate(
  { name, options: schema }: CheckingDriver,
  options: unknown,
): Promise<StandardResult<unknown>> {
  try {
    const result: unknown = await schema["~standard"].validate(options);
    const isObject = typeof result === "object" && result !== null;
    const issues = isObject && "issues" in result ? result.issues : undefined;
    if (!isObject || (issues === undefined && !("value" in result)))
      throw new TypeError("it gave neither a value nor issues");
    if (issues !== undefined && !Array.isArray(issues)) throw new TypeError("its issues are no list");
    return result as StandardResult<unknown>;
  } catch (error) {
    if (isCevError(error)) throw error;
    const message = error instanceof Error ? error.message : String(error);
    throw new CevError("CEV_PROGRAM", `the driver ${name} could not check these options: ${message}`, {
      cause: error,
    });
  }
}

/** What options are checked by. */
type CheckingDriver = Pick<AnyDriver, "name" | "options">;
