import type { LiveDevice, LiveTree } from "@cev/stack";
import { sizeText } from "../sizes.ts";
import { drawForest } from "../tree.ts";

interface Node {
  readonly name: string;
  readonly device: LiveDevice;
  readonly lowers: readonly Node[];
}

/** A running stack, from the disks upwards. */
export function treeText({ devices, exports }: LiveTree): string[] {
  const nodes = new Map<string, Node>();
  const nodeOf = (device: LiveDevice): Node => {
    const known = nodes.get(device.name);
    if (known !== undefined) return known;
    const lowers = devices.filter((one) => device.lowers.includes(one.name)).map(nodeOf);
    const node = { name: device.name, device, lowers };
    nodes.set(device.name, node);
    return node;
  };
  const titles = ["NAME", "SIZE", "DRIVER", "STATE", "IN FLIGHT"];
  const lines = drawForest(devices.map(nodeOf), titles, ({ device }) => [
    device.size === null ? "?" : sizeText(device.size),
    device.driver?.replace(/^@cev\//, "") ?? "-",
    device.isHeld && device.state !== "held" ? `${device.state}, being changed` : device.state,
    String(device.inFlight),
  ]);
  return [...lines, ...Object.entries(exports).map(([name, device]) => `export ${name}: ${device}`)];
}
