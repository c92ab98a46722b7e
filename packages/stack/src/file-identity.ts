import { stat } from "node:fs/promises";

/** What tells the file at a path from every other, whatever it is called; null: there is none to be looked at. */
export async function fileIdentity(path: string): Promise<string | null> {
  const facts = await stat(path, { bigint: true }).catch(() => null);
  if (facts === null) return null;
  return facts.isBlockDevice() ? `device ${facts.rdev}` : `file ${facts.dev}:${facts.ino}`;
}
