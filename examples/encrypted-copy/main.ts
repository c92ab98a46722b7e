/**
 * An encrypted image is made and filled, gets a second key, and is copied into another image under a key of its own.
 *
 *     node main.ts disk.img FOLDER
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { environmentFrom, formatError, isCevError } from "@cev/core";
import type { Device } from "@cev/core";
import { copyDevice } from "./copy-device.ts";
import { addKey, makeImage, makeKeyFile, withImage } from "./encrypted-image.ts";

const [source, folder] = process.argv.slice(2);
if (source === undefined || folder === undefined) {
  process.stderr.write("usage: main.ts FILE FOLDER\n");
  process.exit(2);
}

const environment = environmentFrom(globalThis);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const inFolder = (name: string): string => join(folder, name);

async function fill(content: Device, path: string): Promise<void> {
  let at = 0;
  for await (const data of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
    await content.write(at, data as Buffer);
    at += (data as Buffer).length;
  }
}

async function hashOf(content: Device): Promise<string> {
  const hash = createHash("sha256");
  for await (const { data } of content.chunks()) hash.update(data);
  return hash.digest("hex");
}

try {
  const { size } = await stat(source);
  await mkdir(folder, { recursive: true });
  const [firstKey, secondKey, copyKey] = ["first.key", "second.key", "copy.key"].map(inFolder);
  for (const path of [firstKey!, secondKey!, copyKey!]) await makeKeyFile(path, environment);

  const image = { path: inFolder("image.img"), keyFile: firstKey! };
  say(`image.img is luks/${await makeImage(image, size, environment)}, opened by first.key`);
  await withImage(image, environment, (content) => fill(content, source));

  say(`second.key is in keyslot ${await addKey(image, secondKey!, environment)}`);
  const reopened = { ...image, keyFile: secondKey! };
  const copy = { path: inFolder("copy.img"), keyFile: copyKey! };
  say(`copy.img is luks/${await makeImage(copy, size, environment)}, opened by copy.key`);

  const hashes = await withImage(
    reopened,
    environment,
    (from) =>
      withImage(copy, environment, async (to) => {
        let shown = -1;
        await copyDevice(from, to, (done) => {
          const quarter = Math.floor((4 * done) / from.size);
          if (quarter > shown) say(`  ${25 * (shown = quarter)}% of ${from.size} bytes copied`);
        });
        return [await hashOf(from), await hashOf(to)];
      }),
    { readOnly: true },
  );
  say(`sha256 of image.img: ${hashes[0]}\nsha256 of copy.img:  ${hashes[1]}`);

  const refusal: unknown = await withImage(
    { ...copy, keyFile: firstKey! },
    environment,
    async () => null,
  ).catch((error: unknown) => error);
  if (!isCevError(refusal) || refusal.code !== "CEV_WRONG_KEY") throw refusal;
  say("first.key does not open copy.img");
  process.exitCode = hashes[0] === hashes[1] ? 0 : 1;
} catch (error) {
  process.stderr.write(`${formatError(error)}\n`);
  process.exitCode = 1;
}
