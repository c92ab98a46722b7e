/**
 * Takes one file out of a backup of a server's disks. The backup may lack a disk: an array with a member missing is read all
 * the same. Nothing is written to the images.
 *
 *     node main.ts /hello.txt --device vg0/root --passphrase-file secret disk0.img disk1.img disk3.img > hello.txt
 */
import { parseArgs } from "node:util";
import { standardDrivers } from "@cev/cli";
import { environmentFrom, formatError } from "@cev/core";
import { openImages, readPassphraseFile } from "@cev/stack";
import { readFromExt4 } from "./read-from-ext4.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    device: { type: "string", default: "vg0/root" },
    "passphrase-file": { type: "string", multiple: true, default: [] },
  },
});
const [path, ...images] = positionals;
if (path === undefined || images.length === 0) {
  process.stderr.write("usage: main.ts FILE [--device NAME] [--passphrase-file FILE]... IMAGE...\n");
  process.exit(2);
}

try {
  await using stack = await openImages(images, {
    environment: environmentFrom(globalThis),
    drivers: standardDrivers(),
    keys: await Promise.all(values["passphrase-file"].map(readPassphraseFile)),
  });
  for (const { message } of stack.problems) process.stderr.write(`note: ${message}\n`);
  process.stdout.write(await readFromExt4(await stack.open(values.device), path));
} catch (error) {
  process.stderr.write(`${formatError(error)}\n`);
  process.exitCode = 1;
}
