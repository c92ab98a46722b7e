import { INTERFACE_VERSION } from "@cev/core";
import type { Details, Driver } from "@cev/core";
import { LogWritesSink } from "../record/log-writes-sink.ts";
import { RecordLayer } from "../record/record-layer.ts";
import { openedAs } from "./open-filter.ts";
import { schemaOf } from "./schema.ts";

const optionsSchema: Details = { type: "object", properties: {}, additionalProperties: false };

/** `@cev/test-kit/record` in a stack file: over a device, and a second one that takes a log of dm-log-writes. */
export const recordDriver: Driver<Readonly<Record<string, never>>> = {
  name: "@cev/test-kit/record",
  interfaceVersion: INTERFACE_VERSION,
  summary: "records what is written to its first device on its second, as dm-log-writes does",
  options: schemaOf(optionsSchema),
  optionsSchema,
  lowers: { countMin: 2, countMax: 2 },
  open: (context) =>
    Promise.resolve().then(() => {
      const { lowers, environment, isReadOnly } = context;
      const [device, log] = [lowers[0]!, lowers[1]!];
      const sink = new LogWritesSink(log.layer, {
        environment,
        isReadOnly,
        onEnd: ({ code, message }) =>
          context.report({
            severity: "warning",
            code,
            message: `recording has ended: ${message}`,
            device: log.name,
          }),
      });
      return openedAs(new RecordLayer(device.layer, { environment, sink }));
    }),
};
