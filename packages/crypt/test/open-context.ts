import type { AbortSignalLike, Environment, KeySource, Layer, OpenContext, Problem } from "@cev/core";
import { cryptDriver } from "../src/index.ts";
import type { CryptOptions } from "../src/index.ts";

export interface ContextSettings {
  readonly keys?: readonly Uint8Array[];
  /** What else there is of keys, and whom to ask. */
  readonly keySource?: Partial<KeySource>;
  /** The device of a detached header. */
  readonly header?: Layer;
  readonly signal?: AbortSignalLike;
  /** As in a stack file. */
  readonly options?: object;
  readonly isReadOnly?: boolean;
  readonly directory?: string;
}

/** What a stack would hand to the driver, and the problems it reports. */
export function openContext(
  layer: Layer,
  environment: Environment,
  settings: ContextSettings = {},
): { readonly context: OpenContext<CryptOptions>; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const result = cryptDriver.options["~standard"].validate(settings.options ?? {});
  if (result instanceof Promise || result.issues !== undefined) throw new Error("the options are not valid");
  const context = {
    environment,
    options: result.value,
    lowers: [
      { name: "disk0.img", layer },
      ...(settings.header === undefined ? [] : [{ name: "header.img", layer: settings.header }]),
    ],
    keySource: { keys: settings.keys ?? [], ...settings.keySource },
    signal: settings.signal,
    isReadOnly: settings.isReadOnly ?? false,
    canWriteDegraded: false,
    directory: settings.directory ?? "/",
    report: (problem: Problem) => void problems.push(problem),
  };
  return { context, problems };
}
