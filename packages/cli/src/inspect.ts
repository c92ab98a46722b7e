import type { Problem } from "@cev/core";
import type { Stack, StackDevice } from "@cev/stack";
import { closing } from "./closing.ts";
import { ExitStatus } from "./exit-status.ts";
import { complainOf, say } from "./output.ts";
import { arrayLines, arrayOf } from "./raid/array-lines.ts";
import { plain } from "./plain-text.ts";
import { openSources } from "./sources.ts";
import type { KeyOptions } from "./sources.ts";
import type { LockOptions } from "./open-options.ts";
import { drawTree } from "./tree.ts";

export interface InspectOptions extends KeyOptions, LockOptions {
  readonly json?: boolean;
}

/** `cev inspect`: what is in these images. Failed when something in them is broken; the rest is shown all the same. */
export async function inspect(sources: readonly string[], options: InspectOptions): Promise<ExitStatus> {
  const stack = await openSources({
    ...options,
    sources,
    isReadOnly: true,
    canWriteDegraded: false,
    isPartial: true,
    only: null,
  });
  await closing(stack, async () => {
    if (options.json === true) say(inspectionJson(stack.devices, stack.problems));
    else {
      for (const line of drawTree(stack.devices)) say(line);
      for (const line of exportLines(stack)) say(line);
      for (const array of stack.devices.map(arrayOf))
        if (array !== null) for (const line of ["", ...arrayLines(array)]) say(line);
    }
    complainOf(stack.problems);
  });
  return stack.problems.some((one) => one.severity === "error") ? ExitStatus.failed : ExitStatus.done;
}

/** The answer for programs. */
export function inspectionJson(devices: readonly StackDevice[], problems: readonly Problem[]): string {
  return JSON.stringify({ devices: devices.map(deviceJson), problems }, null, 2);
}

function deviceJson(device: StackDevice): object {
  const { name, driver, layer, lowers, state, details, content } = device;
  const array = arrayOf(device);
  return {
    name,
    driver,
    size: layer?.limits.size ?? null,
    blockSize: layer?.limits.logicalBlockSize ?? null,
    lowers: lowers.map((one) => one.name),
    state,
    details,
    content,
    ...(array === null ? {} : { array }),
  };
}

function exportLines({ exports }: Stack): string[] {
  return [...exports].map(([name, device]) => plain(`export ${name}: ${device}`));
}
