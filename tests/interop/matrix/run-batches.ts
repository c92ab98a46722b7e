import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SharedDisk } from "./shared-disk.ts";

/** Runs batches, so many of them at once. */
export async function runBatches(batches: readonly (() => Promise<void>)[], jobs: number): Promise<void> {
  const queue = batches.values();
  await Promise.all(
    Array.from({ length: jobs }, async () => {
      for (const batch of queue) await batch();
    }),
  );
}

/** Where disks are made. */
export interface DiskPlace {
  /** A folder that exists; what is made in it is removed, except where `isKept`. */
  readonly folder: string;
  readonly isKept: boolean;
}

/** A shared disk in a folder of its own, which has a file `content`. */
export async function withDisk(
  { folder, isKept }: DiskPlace,
  content: Uint8Array,
  body: (folder: string, disk: SharedDisk) => Promise<void>,
): Promise<void> {
  const own = mkdtempSync(join(folder, "disk-"));
  try {
    writeFileSync(join(own, "content"), content);
    using disk = new SharedDisk(join(own, "disk.img"));
    await body(own, disk);
  } finally {
    if (!isKept) rmSync(own, { recursive: true, force: true });
  }
}
