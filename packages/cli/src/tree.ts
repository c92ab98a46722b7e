import type { StackDevice } from "@cev/stack";
import { plain } from "./plain-text.ts";
import { sizeText } from "./sizes.ts";

type Row = readonly string[];

/** What has a place in a tree. */
interface TreeNode<Self> {
  readonly name: string;
  readonly lowers: readonly Self[];
}

/**
 * Draws devices from the disks upwards, one line each. What stands on several devices is drawn once, below the last of them,
 * and the others are drawn right above.
 */
export function drawTree(devices: readonly StackDevice[]): string[] {
  return drawForest(devices, ["NAME", "SIZE", "DRIVER", "STATE", "CARRIES"], facts);
}

/** The same, of whatever stands on one another, with these columns beside the name. */
export function drawForest<Node extends TreeNode<Node>>(
  devices: readonly Node[],
  titles: Row,
  factsOf: (device: Node) => Row,
): string[] {
  const rows: Row[] = [titles];
  const drawn = new Set<Node>();
  const isReady = (device: Node): boolean => device.lowers.every((lower) => drawn.has(lower));

  const draw = (device: Node, head: string, indent: string): void => {
    drawn.add(device);
    rows.push([head + device.name, ...factsOf(device)]);
    const uppers = devices.filter((one) => one.lowers.includes(device) && !drawn.has(one) && isReady(one));
    for (const [index, upper] of uppers.entries()) {
      const isLast = index === uppers.length - 1;
      draw(upper, `${indent}${isLast ? "└─ " : "├─ "}`, `${indent}${isLast ? "   " : "│  "}`);
    }
  };

  for (const device of rootsOf(devices)) draw(device, "", "");
  return columns(rows);
}

/** The disks; those that something stands on together are neighbours. */
function rootsOf<Node extends TreeNode<Node>>(devices: readonly Node[]): Node[] {
  const roots: Node[] = [];
  const add = (device: Node): void => {
    if (device.lowers.length === 0 && !roots.includes(device)) roots.push(device);
  };
  for (const device of devices.filter((one) => one.lowers.length === 0)) {
    add(device);
    const together = devices.find((one) => one.lowers.includes(device) && one.lowers.length > 1);
    together?.lowers.forEach(add);
  }
  return roots;
}

function facts({ driver, layer, state, content }: StackDevice): Row {
  return [
    layer === null ? "?" : sizeText(layer.limits.size),
    driver?.replace(/^@cev\//, "") ?? "-",
    state,
    content?.summary ?? "",
  ];
}

/** Names and summaries may be somebody else's: one that holds an end of line would look like a device of its own. */
function columns(texts: readonly Row[]): string[] {
  const rows = texts.map((row) => row.map(plain));
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, column) => (column === 1 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd(),
  );
}
