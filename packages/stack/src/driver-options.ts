import type { Json, StandardSchema } from "@cev/core";
import { descriptionError, pathText } from "./places.ts";

/** Checks and completes a driver's options through its own schema. Throws `CEV_INVALID` with the place in the description. */
export async function checkOptions<Output>(
  schema: StandardSchema<Output>,
  options: { readonly [key: string]: Json },
  source: string,
  keys: readonly PropertyKey[],
): Promise<Output> {
  const result = await schema["~standard"].validate(options);
  if (result.issues === undefined) return result.value;
  const [issue] = result.issues;
  const inner = (issue?.path ?? []).map((item) => (typeof item === "object" ? item.key : item));
  throw descriptionError(
    "CEV_INVALID",
    source,
    pathText([...keys, ...inner]),
    issue?.message ?? "is not valid",
  );
}
