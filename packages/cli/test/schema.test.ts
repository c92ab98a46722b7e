import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { standardDrivers } from "../src/standard-drivers.ts";
import { driverModule, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

interface StackSchema {
  readonly $defs: {
    readonly device: {
      readonly allOf: readonly {
        readonly if: { readonly properties: { readonly driver: { readonly const: string } } };
        readonly then: { readonly properties: object; readonly additionalProperties: boolean };
      }[];
    };
  };
}

const branchesOf = (stdout: Buffer): Map<string, StackSchema["$defs"]["device"]["allOf"][number]["then"]> => {
  const { $defs } = JSON.parse(stdout.toString()) as StackSchema;
  return new Map($defs.device.allOf.map((one) => [one.if.properties.driver.const, one.then]));
};

/** A folder with a driver of somebody's and a stack file that names it. */
function project(): string {
  const folder = temporaryFolder();
  const options =
    '{ type: "object", required: ["speed"], properties: { speed: { type: "integer", minimum: 1 } } }';
  writeFileSync(
    join(folder, "mine.mjs"),
    driverModule("").replace("optionsSchema: {}", `optionsSchema: ${options}`),
  );
  writeFileSync(
    join(folder, "stack.yaml"),
    'devices:\n  d0: { driver: "@cev/hw-ramdisk", size: 65536 }\n  m: { driver: ./mine.mjs, lower: d0, speed: 3 }\n',
  );
  return folder;
}

describe("cev schema", () => {
  test("knows every driver that cev knows, and those of the test kit", async () => {
    const { status, stdout } = await run(["schema"]);
    const branches = branchesOf(stdout);
    expect(status).toBe(0);
    expect([...branches.keys()]).toEqual(standardDrivers().names);
    expect(Object.keys(branches.get("@cev/test-kit/throttle")!.properties)).toContain("requestsPerSecond");
  });

  test("knows those that a stack file names, too, as it names them", async () => {
    const cwd = project();
    const branches = branchesOf((await run(["schema", "stack.yaml"], { cwd })).stdout);
    expect(branches.get("./mine.mjs")).toMatchObject({
      properties: { speed: { type: "integer", minimum: 1 } },
      required: ["driver", "speed"],
    });
    expect([...branches.keys()].filter((name) => name === "@cev/hw-ramdisk")).toHaveLength(1);
  });

  test("prints the options of one driver, by its name or its file", async () => {
    const raid = await run(["schema", "--driver", "@cev/raid"]);
    expect(JSON.parse(raid.stdout.toString())).toHaveProperty("properties.uuid.type", "string");
    const mine = await run(["schema", "--driver", "./mine.mjs", "--markdown"], { cwd: project() });
    expect(mine.stdout.toString()).toBe(
      "| option | value | default | meaning |\n| --- | --- | --- | --- |\n| `speed` | whole number, at least 1 | required | |\n",
    );
  });

  test("prints all options as tables", async () => {
    const { stdout } = await run(["schema", "--markdown"]);
    const text = stdout.toString();
    for (const name of standardDrivers().names) expect(text).toContain(`## ${name}\n`);
    expect(text).toContain("| `rules[].probability` | number, 0 to 1 | `1` | Of each request that fits. |");
  });

  test.each([
    [["schema", "disk.img"], 2, /disk\.img is no stack file/],
    [["schema", "--driver", "@cev/none"], 1, /there is no driver @cev\/none/],
    [["schema", "none.yaml"], 1, /none\.yaml: there is no such file/],
  ])("refuses %j in words", async (args, status, words) => {
    const ended = await run(args, { cwd: temporaryFolder() });
    expect(ended).toMatchObject({ status, stderr: expect.stringMatching(words) as unknown });
  });
});

test("a stack file may name drivers of the test kit", async () => {
  const cwd = temporaryFolder();
  writeFileSync(
    join(cwd, "stack.yaml"),
    'devices:\n  d0: { driver: "@cev/hw-ramdisk", size: 65536 }\n  slow: { driver: "@cev/test-kit/throttle", lower: d0, latencyMs: 0 }\n',
  );
  const { stdout } = await run(["inspect", "stack.yaml", "--json"], { cwd });
  expect(JSON.parse(stdout.toString())).toMatchObject({
    devices: [{ name: "d0" }, { name: "slow", driver: "@cev/test-kit/throttle", lowers: ["d0"] }],
    problems: [],
  });
});
