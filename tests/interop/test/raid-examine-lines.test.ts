import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { unpackGolden } from "../golden/unpack.ts";
import { cev } from "../src/cev.ts";
import { run } from "../src/run.ts";
import { describeWith } from "../src/tools.ts";

const folder = mkdtempSync(join(tmpdir(), "cev-examine-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Arrays of all versions, and in all states that a superblock can tell of. */
const SETS = readdirSync(new URL("../golden", import.meta.url)).filter((name) => name.startsWith("raid"));

const images = SETS.flatMap((name) => unpackGolden(name, join(folder, name)).images);

/** What mdadm says of some images, one after the other. It looks at files as it does at devices. */
async function mdadm(options: readonly string[], paths: readonly string[]): Promise<string> {
  const said: string[] = [];
  for (const path of paths) said.push((await run("mdadm", [...options, path])).stdout);
  return said.join("");
}

describeWith(["mdadm"], "cev raid examine", () => {
  test("--brief gives the lines of mdadm --examine --brief", async () => {
    for (const name of SETS.filter((one) => /replacement|spare|090|stale|journal/.test(one))) {
      const own = images.filter((image) => basename(dirname(image)) === name);
      const { stdout } = await cev(["raid", "examine", ...own, "--brief"]);
      expect(stdout).toBe((await run("mdadm", ["--examine", "--brief", ...own])).stdout);
    }
  });

  test("--export gives the variables of mdadm --examine --export", async () => {
    const { stdout } = await cev(["raid", "examine", ...images, "--export"]);
    const theirs = await mdadm(["--examine", "--export"], images);
    expect(withoutOldTimes(stdout)).toBe(withoutOldTimes(theirs));
  });
});

/** Of version 0.90 mdadm 4.2 gives the time the array was made for that of its last update. */
const withoutOldTimes = (text: string): string =>
  text.replaceAll(/(?<=MD_UUID=.*\n)MD_UPDATE_TIME=.*\n(?=MD_EVENTS)/g, "");
