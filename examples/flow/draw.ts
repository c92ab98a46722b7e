import type { EventStatus } from "@cev/core";
import { nameOfPart } from "./observer.ts";
import type { Passing, Picture, Step } from "./observer.ts";

/** The tree of events at one moment: what each is, what it waits for, and the actions that will run when it completes. */
export function drawPicture({ atMs, tree }: Picture): string[] {
  return [`at ${time(atMs).trimStart()}`, ...drawEvent(tree, "#", "")];
}

function drawEvent(status: EventStatus, event: string, suffix: string): string[] {
  const { request, state, parts, actions, waiterCount } = status;
  const what = request === undefined ? status.kind : requestText(request);
  const waiters = waiterCount === 0 ? "" : `, ${waiterCount} waiting for it`;
  const stem = parts.length > 0 ? "│" : " ";
  const lines = [`${event} ${what}${suffix}: ${state}${waiters}`];
  if (actions.length > 0)
    lines.push(
      `${stem}    will run: ${actions.map(({ name, owner }) => actionText(name, owner)).join(", ")}`,
    );
  const [first] = parts;
  if (first !== undefined)
    lines.push(`│    ${first.splitBy ?? "?"} waits for its parts (${first.collation})`);
  for (const part of parts) {
    const isLast = part === parts.at(-1);
    const elapsed = part.elapsedMs === null ? "" : ` since ${time(part.elapsedMs).trimStart()}`;
    const name = nameOfPart(event, part.index);
    const [head = "", ...rest] = drawEvent(part.event, name, ` to ${part.lower ?? "?"}${elapsed}`);
    lines.push(`${isLast ? "└" : "├"}── ${head}`, ...rest.map((line) => `${isLast ? " " : "│"}   ${line}`));
  }
  return lines;
}

/** One line: a request passed a device. */
export function drawPassing({ direction, atMs, event, device, op, offset, length }: Passing): string {
  const arrow = direction === "down" ? "↓" : "↑";
  return `${time(atMs)}  ${arrow} ${device.padEnd(10)} ${event.padEnd(5)} ${requestText({ op, offset, length })}`;
}

/** One line: an action ran, or somebody was woken. */
export function drawStep({ atMs, event, what, name, owner }: Step): string {
  return `${time(atMs)}  ${event.padEnd(5)} ${what === "action" ? actionText(name, owner) : `woken: ${name}`}`;
}

function actionText(name: string, owner: string | null): string {
  const shown = name === "" ? "an action without a name" : name;
  return owner === null ? shown : `${shown} (${owner})`;
}

function requestText(request: {
  readonly op: string;
  readonly offset: number;
  readonly length: number;
}): string {
  return `${request.op} ${request.length} at ${request.offset}`;
}

function time(ms: number): string {
  return `${ms.toFixed(1).padStart(6)} ms`;
}
