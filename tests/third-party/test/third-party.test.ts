import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OutsideProject } from "@cev/tests-smoke/outside";
import { afterAll, beforeEach, describe, expect, test } from "vitest";

const SIZE = 1_048_576;

const elsewhere = mkdtempSync(join(tmpdir(), "cev-third-party-"));
const project = new OutsideProject({ "cev-invert": `file:${packElsewhere()}` });
const cev = join(project.folder, "node_modules/.bin/cev");
const image = join(project.folder, "d0.img");

const stackFile = `
devices:
  d0:    { driver: "@cev/hw-file", path: d0.img }
  plain: { driver: cev-invert, lower: d0 }
exports:
  plain: plain
`;

beforeEach(() => {
  writeFileSync(image, Buffer.alloc(SIZE, 0x0f));
  project.write("stack.yaml", stackFile);
});

afterAll(() => {
  project[Symbol.dispose]();
  rmSync(elsewhere, { recursive: true, force: true });
});

/** Packs the layer in a folder that no workspace knows, as its author would. */
function packElsewhere(): string {
  const folder = join(elsewhere, "cev-invert");
  cpSync(join(import.meta.dirname, "../fixtures/cev-invert"), folder, { recursive: true });
  execFileSync("npm", ["pack", "--silent"], { cwd: folder, shell: process.platform === "win32" });
  return join(folder, "cev-invert-1.0.0.tgz");
}

describe("a layer by somebody else, installed from its tarball and named in a stack file", () => {
  test("is found by its package name", () => {
    const { status, output } = project.run(cev, "inspect", "stack.yaml", "--json");
    const { devices } = JSON.parse(output) as { devices: unknown[] };
    expect(status).toBe(0);
    expect(devices).toContainEqual(
      expect.objectContaining({ name: "plain", driver: "cev-invert", size: SIZE, lowers: ["d0"] }),
    );
  });

  test("is read through", () => {
    expect(project.run(cev, "copy", "stack.yaml", "--device", "plain", "--to", "out.bin")).toMatchObject({
      status: 0,
    });
    expect(readFileSync(join(project.folder, "out.bin")).equals(Buffer.alloc(SIZE, 0xf0))).toBe(true);
  });

  test("is written through", () => {
    project.write("in.bin", "a".repeat(SIZE));
    expect(project.run(cev, "copy", "stack.yaml", "--device", "plain", "--from", "in.bin")).toMatchObject({
      status: 0,
    });
    expect(readFileSync(image).equals(Buffer.alloc(SIZE, 0xff ^ "a".charCodeAt(0)))).toBe(true);
  });

  test("that is not installed is an error of one line that says so", () => {
    project.write("stack.yaml", stackFile.replace("cev-invert", "cev-unheard-of"));
    const { status, output } = project.run(cev, "inspect", "stack.yaml");
    expect(status).toBe(1);
    expect(output.trimEnd().split("\n")).toHaveLength(1);
    expect(output).toContain("cev-unheard-of");
  });
});
