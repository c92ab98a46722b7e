import { isCevError } from "@cev/core";
import type { Json, StandardResult, StandardSchema } from "@cev/core";
import { descriptionError, pathText, placed } from "./places.ts";

/**
 * Checks and completes a driver's options through its own schema. Throws `CEV_INVALID` with the place in the description of what is wrong
 * first, and with everything else that is wrong as its hint.
 */
export async function checkOptions<Output>(
  schema: StandardSchema<Output>,
  options: { readonly [key: string]: Json },
  source: string,
  keys: readonly PropertyKey[],
): Promise<Output> {
  const result = await validated(schema, options, source, keys);
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

/** A validator tells what is wrong; one that throws is wrong itself. */
async function validated<Output>(
  schema: StandardSchema<Output>,
  options: { readonly [key: string]: Json },
  source: string,
  keys: readonly PropertyKey[],
): Promise<StandardResult<Output>> {
  try {
    return await schema["~standard"].validate(options);
  } catch (error) {
    if (isCevError(error)) throw placed(error, source, pathText(keys));
    const message = error instanceof Error ? error.message : String(error);
    throw descriptionError(
      "CEV_PROGRAM",
      source,
      pathText(keys),
      `the check of these options failed: ${message}`,
      {
        cause: error,
      },
    );
  }
}
