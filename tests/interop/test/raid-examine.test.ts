import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { unpackGolden } from "../golden/unpack.ts";
import { cev } from "../src/cev.ts";
import { run } from "../src/run.ts";
import { describeWith } from "../src/tools.ts";

const folder = mkdtempSync(join(tmpdir(), "cev-examine-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Arrays of all versions, and in all states that a superblock can tell of. */
const SETS = readdirSync(new URL("../golden", import.meta.url)).filter((name) => name.startsWith("raid"));

/** All images of all sets under names of their own. */
const images = SETS.flatMap((name) => unpackGolden(name, join(folder, name)).images);
const nameOf = (image: string): string => `${basename(join(image, ".."))}/${basename(image)}`;

/** What mdadm says of each image, by its name here. It looks at files as it does at devices. */
async function mdadm(options: readonly string[]): Promise<Map<string, string>> {
  const said = new Map<string, string>();
  for (const image of images) {
    const { stdout } = await run("mdadm", [...options, image]);
    said.set(nameOf(image), stdout.replace(image, nameOf(image)));
  }
  return said;
}

describeWith(["mdadm"], "cev raid examine", () => {
  test("says the same as mdadm --examine of every golden array, letter for letter", async () => {
    const { stdout, stderr, status } = await cev(["raid", "examine", ...images]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const theirs = await mdadm(["--examine"]);
    const ours = stdout.split(/^(?=\S+:$)/m);
    expect(ours).toHaveLength(images.length);
    for (const text of ours) expect(text).toBe(theirs.get(text.slice(0, text.indexOf(":\n"))));
  });

  test("--export gives the same variables", async () => {
    const { stdout } = await cev(["raid", "examine", ...images, "--export"]);
    const theirs = [...(await mdadm(["--examine", "--export"])).values()].join("");
    expect(withoutOldTimes(stdout)).toBe(withoutOldTimes(theirs));
  });
});

/** Of version 0.90 mdadm 4.2 gives the time the array was made for that of its last update. */
const withoutOldTimes = (text: string): string =>
  text.replaceAll(/(?<=MD_UUID=.*\n)MD_UPDATE_TIME=.*\n(?=MD_EVENTS)/g, "");
