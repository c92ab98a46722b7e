/**
 * Shows one file as several backups of an LVM server have it: the backups are clones of one another, and open side by side.
 *
 *     node main.ts /etc/hostname --volume vg0/root monday tuesday
 */
import { parseArgs } from "node:util";
import { formatError } from "@cev/core";
import { restoreFile } from "./restore.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { volume: { type: "string", default: "vg0/root" } },
});
const [path, ...backups] = positionals;
if (path === undefined || backups.length === 0) {
  process.stderr.write("usage: main.ts FILE [--volume VG/LV] BACKUP-FOLDER...\n");
  process.exit(2);
}

try {
  const files = await restoreFile({ backups, volume: values.volume, path }, ({ message }) => {
    process.stderr.write(`note: ${message}\n`);
  });
  let previous: Uint8Array | null = null;
  for (const { backup, volume, data } of files) {
    const isSame = previous !== null && Buffer.compare(previous, data) === 0;
    process.stdout.write(`== ${backup} (${volume})${isSame ? ": the same" : ""}\n`);
    if (!isSame) process.stdout.write(data);
    previous = data;
  }
} catch (error) {
  process.stderr.write(`${formatError(error)}\n`);
  process.exitCode = 1;
}
