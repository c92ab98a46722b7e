import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { standardDrivers } from "@cev/cli";
import { environmentFrom } from "@cev/core";
import type { EventStatus } from "@cev/core";
import { openImages } from "@cev/stack";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runSource } from "../../scripts/run-source.ts";
import { unpackGolden } from "../../tests/interop/golden/unpack.ts";
import type { UnpackedGolden } from "../../tests/interop/golden/unpack.ts";
import { watchOneWrite } from "./flow.ts";
import type { FlowReport } from "./flow.ts";

let folder = "";
let golden: UnpackedGolden;
let report: FlowReport;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "cev-flow-test-"));
  golden = unpackGolden("stack", folder);
  report = await watchOneWrite(golden.images, golden.manifest.passphrase!);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What happened to one event, in order: actions by name and owner, and who was woken. */
function stepsOf(event: string): string[] {
  return report.steps
    .filter((step) => step.event === event)
    .map(({ what, name, owner }) => (what === "waiter" ? "woken" : `${name} ${owner ?? ""}`.trim()));
}

/** The devices an event passed, in order. */
function passed(event: string, direction: "down" | "up"): string[] {
  return report.passings
    .filter((passing) => passing.event === event && passing.direction === direction)
    .map(({ device }) => device);
}

/** Operations and collations below an event of the first picture in which all parts are split. */
function shapeOf({ request, parts }: EventStatus): unknown {
  return parts.length === 0
    ? request?.op
    : { [`${parts[0]!.splitBy}, ${parts[0]!.collation}`]: parts.map((part) => shapeOf(part.event)) };
}

describe("one write through lvm, crypt and raid5 over four files", () => {
  test("goes through the stack that the kernel made", () => {
    expect(report.devices.map(({ name, lowers }) => [name, lowers.length])).toEqual([
      ["vg0/root", 1],
      ["luks", 1],
      ["md", 4],
      ["disk0.img", 0],
      ["disk1.img", 0],
      ["disk2.img", 0],
      ["disk3.img", 0],
    ]);
  });

  test("T2 is seen as one tree across all layers: split by lvm, then by raid5, which reads before it writes", () => {
    const shapes = report.pictures.map(({ tree }) => shapeOf(tree));
    const reading = { "raid5, read columns": ["read", "read"] };
    const writing = { "raid5, data and parity": ["write", "write"] };
    expect(shapes).toContainEqual({ "vg0/root, concatenate": [reading, reading] });
    expect(shapes).toContainEqual({ "vg0/root, concatenate": [writing, reading] });
    const [first] = report.pictures;
    expect(first!.tree).toMatchObject({ state: "pending", waiterCount: 2 });
    const elapsed = first!.tree.parts.map(({ elapsedMs }) => elapsedMs ?? -1);
    expect(elapsed.every((ms) => ms >= 0)).toBe(true);
  });

  test("A1 passes lvm's part on through crypt and raid5 as the same Io, which comes back the way it went", () => {
    for (const event of ["#0", "#1"]) {
      expect(passed(event, "down")).toEqual(["luks", "md"]);
      expect(passed(event, "up")).toEqual(["md", "luks"]);
    }
    expect(report.passings.at(0)).toMatchObject({ event: "#", direction: "down", device: "vg0/root" });
    expect(report.passings.at(-1)).toMatchObject({ event: "#", direction: "up", device: "vg0/root" });
  });

  test("A3 runs completion actions last in, first out", () => {
    const part = [
      "mergeCompound raid5",
      "leaveArray raid5",
      "tellWatcher md",
      "finishWrite crypt",
      "tellWatcher luks",
    ];
    expect(stepsOf("#0").slice(0, 5)).toEqual(part);
    expect(stepsOf("#1").slice(0, 5)).toEqual(part);
    const whole = stepsOf("#");
    expect(whole.slice(0, 2)).toEqual(["mergeCompound vg0/root", "tellWatcher vg0/root"]);
    expect(whole.slice(-2)).toEqual(["leaveDevice vg0/root", "woken"]);
    // What was seen waiting in the chain is what ran, in that order.
    const waiting = report.pictures
      .at(-1)!
      .tree.actions.map(({ name, owner }) => `${name} ${owner ?? ""}`.trim());
    expect(whole.slice(0, -1)).toEqual(waiting);
  });

  test("B1 merges part by part, upwards: raid5's parts before raid5, both of lvm's before lvm", () => {
    const at = (event: string, name: string): number =>
      report.steps.findIndex((step) => step.event === event && step.name === name);
    for (const part of ["#0", "#1"]) {
      const merged = at(part, "mergeCompound");
      for (const index of [0, 1]) {
        const last = report.steps.findLastIndex((step) => step.event === `${part}.${index}`);
        expect(last).toBeGreaterThanOrEqual(0);
        expect(last).toBeLessThan(merged);
      }
      expect(at(part, "subEnded")).toBeLessThan(at("#", "mergeCompound"));
    }
  });

  test("A5 wakes whoever waited for the whole once, after everything else", () => {
    expect(report.steps.at(-1)).toMatchObject({ event: "#", what: "waiter" });
    expect(report.steps.filter(({ event, what }) => event === "#" && what === "waiter")).toHaveLength(1);
  });

  test("T3 wakes whoever waited for the first part alone while the second is under way", () => {
    const woken = report.steps.findIndex(({ event, what }) => event === "#0" && what === "waiter");
    const merged = report.steps.findIndex(({ event, name }) => event === "#1" && name === "mergeCompound");
    expect(woken).toBeGreaterThanOrEqual(0);
    expect(woken).toBeLessThan(merged);
  });

  test("leaves the volume as it was: the bytes written were those it held", async () => {
    await using stack = await openImages(golden.images, {
      environment: environmentFrom(globalThis),
      drivers: standardDrivers(),
      keys: [new TextEncoder().encode(golden.manifest.passphrase)],
    });
    const device = await stack.open("vg0/root");
    const hash = createHash("sha256")
      .update(await device.read(0, device.size))
      .digest("hex");
    expect(hash).toBe(golden.manifest.layers.find(({ name }) => name === "vg0/root")!.sha256);
  });

  test("is printed by the program, with its times", () => {
    const { status, stdout, stderr } = runSource(join(import.meta.dirname, "main.ts"));
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout.match(/^== /gm)).toHaveLength(4);
    expect(stdout).toMatch(/^ +\d+\.\d ms {2}↓ disk1\.img +#[01]\.[01] +write 4096/m);
    expect(stdout).toMatch(/^├── #0 write 4096 at \d+ to luks since \d+\.\d ms: pending/m);
  });
});
