import { INTERFACE_VERSION } from "@cev/core";
import type { Details, Driver, Environment, ErrorCode, Layer, OpenedDevice } from "@cev/core";
import { schemaOf } from "./schema.ts";

/** What a layer is made with. */
export interface FilterSite {
  readonly environment: Environment;
  /** For people: something happened at the device that the layer stands on. */
  readonly tell: (code: ErrorCode, message: string) => void;
}

/** What a driver of a layer over one lower is made of. */
export interface FilterParts<Options> {
  readonly name: string;
  readonly summary: string;
  /** Of its options, by their names, as in a JSON Schema. */
  readonly properties: Details;
  /** What is read through it is what lies below. */
  readonly isFilter?: boolean;
  readonly make: (lower: Layer, options: Options, site: FilterSite) => Layer;
}

/** A driver of a layer over one lower that shows the same device. */
export function filterDriver<Options>({
  name,
  summary,
  properties,
  isFilter,
  make,
}: FilterParts<Options>): Driver<Options> {
  const optionsSchema: Details = { type: "object", properties, additionalProperties: false };
  return {
    name: `@cev/test-kit/${name}`,
    interfaceVersion: INTERFACE_VERSION,
    summary,
    options: schemaOf<Options>(optionsSchema),
    optionsSchema,
    ...(isFilter !== undefined && { isFilter }),
    lowers: { countMin: 1, countMax: 1 },
    open: (context) =>
      Promise.resolve().then(() => {
        const { environment, options, lowers } = context;
        const { name: device, layer } = lowers[0]!;
        const tell = (code: ErrorCode, message: string): void =>
          context.report({ severity: "warning", code, message: `${device}: ${message}`, device });
        return openedAs(make(layer, options, { environment, tell }));
      }),
  };
}

export function openedAs(layer: Layer): OpenedDevice[] {
  return [{ name: null, layer, state: layer.support.write === "none" ? "read-only" : "active", details: {} }];
}
