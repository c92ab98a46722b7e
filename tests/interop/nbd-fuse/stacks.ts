import { truncateSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { cev, inspect } from "../src/cev.ts";
import type { StackName } from "./options.ts";

const SIZE = 134_217_728;

/** Images with an empty device in them. */
export interface MadeStack {
  /** What `cev serve` and `cev copy` are told: images, keys. */
  readonly sources: readonly string[];
  /** As `cev inspect` names it. */
  readonly device: string;
}

export async function makeStack(name: StackName, folder: string): Promise<MadeStack> {
  return name === "file" ? makeFile(folder) : makeLuksOnRaid(folder);
}

function makeFile(folder: string): MadeStack {
  const path = join(folder, "disk.img");
  writeFileSync(path, "");
  truncateSync(path, SIZE);
  return { sources: [path], device: "disk.img" };
}

async function makeLuksOnRaid(folder: string): Promise<MadeStack> {
  const images = ["d0.img", "d1.img", "d2.img"].map((name) => join(folder, name));
  const key = join(folder, "key");
  writeFileSync(key, randomBytes(32));
  await made("raid", "create", "data", "--level", "5", "--make-images", "96M", ...images);
  await made(
    ...["crypt", "luksFormat", "md/data", "--devices", ...images, "--key-file", key],
    // What a key costs to derive is not what is looked at.
    ...["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--batch-mode"],
  );
  const sources = [...images, "--key-file", key];
  const { devices } = await inspect(sources);
  const found = devices.find(({ name }) => name.startsWith("luks/"));
  if (found === undefined) throw new Error("the LUKS device is not found in its images");
  return { sources, device: found.name };
}

async function made(...args: readonly string[]): Promise<void> {
  const { status, stdout, stderr } = await cev(args, { timeoutMs: 120_000 });
  if (status !== 0) throw new Error(`cev ${args.join(" ")} ended with ${status}: ${stdout}${stderr}`);
}
