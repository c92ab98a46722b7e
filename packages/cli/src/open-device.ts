import { CevError } from "@cev/core";
import type { Device } from "@cev/core";
import type { Stack, StackDevice } from "@cev/stack";

/** Opens a device of a stack, for writing unless it is said not to; explains why it cannot be written. */
export async function openDevice(
  stack: Stack,
  name: string,
  options: { readonly isReadOnly: boolean },
): Promise<Device> {
  const device = await stack.open(name, options);
  if (options.isReadOnly || !device.isReadOnly) return device;
  const below = namesBelow(stack.find(name));
  const isDegraded = stack.problems.some(
    (one) => one.code === "CEV_DEGRADED" && (one.device === undefined || below.has(one.device)),
  );
  if (isDegraded) {
    throw new CevError(
      "CEV_DEGRADED",
      "redundancy is missing below it, and one more loss would lose what is written",
      {
        source: device.name,
        hint: "add --degraded to write all the same, or only read",
      },
    );
  }
  throw new CevError("CEV_READ_ONLY", "it cannot be written", {
    source: device.name,
    hint: "only read it: serve it with --read-only, or copy it with --to",
  });
}

/** The device and all that it stands on. */
function namesBelow(device: StackDevice): Set<string> {
  return new Set([device.name, ...device.lowers.flatMap((lower) => [...namesBelow(lower)])]);
}
