import type { Environment, Layer, OpenContext, OpenedDevice, Problem } from "@cev/core";
import { thinDriver } from "../../src/index.ts";
import type { ThinOptions } from "../../src/index.ts";

/** Opens volumes as a stack would. `lowers`: metadata, data, external origins. */
export async function openPool(
  environment: Environment,
  lowers: readonly Layer[],
  options: unknown,
  problems: Problem[] = [],
): Promise<readonly OpenedDevice[]> {
  const checked = await thinDriver.options["~standard"].validate(options);
  if (checked.issues !== undefined) throw new Error(checked.issues[0]!.message);
  const names = ["pool_tmeta", "pool_tdata"];
  const context: OpenContext<ThinOptions> = {
    environment,
    options: checked.value,
    lowers: lowers.map((layer, index) => ({ name: names[index] ?? `origin${index}`, layer })),
    keySource: { keys: [] },
    isReadOnly: true,
    canWriteDegraded: false,
    directory: "/",
    report: (problem) => void problems.push(problem),
  };
  return thinDriver.open(context);
}
