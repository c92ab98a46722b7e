import type { RequestPart, RequestTree } from "@cev/stack";

/** A request as the tree of what it became: where it passed, and when, in microseconds after it began. */
export function traceText(tree: RequestTree): string[] {
  const own = tree.isOwn ? " (the stack's own)" : "";
  return [`${summary(tree)}${own}`, ...inner(tree, tree.startUs, "")];
}

function summary({ op, offset, length, flags, durationUs, error }: RequestTree): string {
  const range = op === "flush" ? "" : ` ${offset}+${length}`;
  const words = flags.length === 0 ? "" : ` ${flags.join(" ")}`;
  return `${op}${range}${words}: ${error ?? "done"}, ${durationUs} µs`;
}

function inner(tree: RequestTree, startUs: number, indent: string): string[] {
  const lines = tree.passings.map(
    ({ device, direction, atUs, offset }) =>
      `${indent}  ${direction === "down" ? "↓" : "↑"} ${device} at ${offset}, ${atUs - startUs} µs`,
  );
  // What a part became stands between the way down and the way up.
  const up = tree.passings.findIndex(({ direction }) => direction === "up");
  const parts = tree.parts.flatMap((part, index) => partText(part, index, startUs, `${indent}    `));
  lines.splice(up < 0 ? lines.length : up, 0, ...parts);
  return lines;
}

function partText(part: RequestPart, index: number, startUs: number, indent: string): string[] {
  const by = part.splitBy === "" ? part.collation : `${part.splitBy}, ${part.collation}`;
  const retries = part.retryCount === 0 ? "" : `, tried ${part.retryCount + 1} times`;
  return [`${indent}part ${index} (${by}): ${summary(part)}${retries}`, ...inner(part, startUs, indent)];
}
