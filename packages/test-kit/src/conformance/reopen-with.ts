import { interfaceIssue } from "@cev/core";
import type { Driver, Layer, LayerDescription, OpenContext, OpenedDevice } from "@cev/core";
import { diskIndexOf } from "./bench-disk.ts";
import { expectThat, fail } from "./subject.ts";
import type { TestBench } from "./subject.ts";

/** What a driver is told beside the description; `lowers` and `options` come from that. */
export interface ReopenExtra extends Partial<
  Omit<OpenContext<unknown>, "environment" | "options" | "lowers">
> {
  /** Which of several devices it is. Default: the one that describes itself so. */
  readonly pick?: (devices: readonly OpenedDevice[]) => OpenedDevice | undefined;
}

/** For `Manifest.reopen`: makes the layer with its driver, whose schema checks the options that the layer described. */
export function reopenWith(
  driver: Driver,
  extra: ReopenExtra = {},
): (description: LayerDescription, bench: TestBench) => Promise<Layer> {
  return async (description, bench) => {
    expectThat(
      description.driver === driver.name,
      `it says that its driver is ${description.driver}, and it is ${driver.name}`,
    );
    const issue = interfaceIssue(driver.interfaceVersion);
    expectThat(issue === null, `the driver ${driver.name} ${issue}`);
    const checked = await driver.options["~standard"].validate(description.options);
    if (checked.issues !== undefined)
      fail(`the driver does not take the options that the layer described: ${checked.issues[0]?.message}`);
    const disks = bench.lowersAgain();
    const lowers = description.lowers.map((lower) => {
      const index = diskIndexOf(lower);
      const layer =
        disks[index] ?? fail("it describes that it stands on something that is no disk of the suite");
      return { name: `disk${index}`, layer };
    });
    const { pick = (devices) => onlyOne(devices, description), ...context } = extra;
    const devices = await driver.open({
      keySource: { keys: [] },
      isReadOnly: false,
      canWriteDegraded: false,
      directory: ".",
      report: () => undefined,
      ...context,
      environment: bench.environment,
      options: checked.value,
      lowers,
    });
    return (
      pick(devices) ?? fail(`the driver opened ${devices.length} devices, and none is the one described`)
    ).layer;
  };
}

function onlyOne(devices: readonly OpenedDevice[], description: LayerDescription): OpenedDevice | undefined {
  if (devices.length === 1) return devices[0];
  const wanted = JSON.stringify(description);
  return devices.find(({ layer }) => JSON.stringify(layer.describe()) === wanted);
}
