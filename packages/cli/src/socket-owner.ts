import { readFileSync } from "node:fs";
import type { FileOwner } from "@cev/nbd";
import { UsageError } from "./usage-error.ts";

const KEEP = -1;

/** Reads USER, USER:GROUP or :GROUP, names or numbers, by the tables of this machine; what is left out stays as it is. */
export function parseSocketOwner(text: string): FileOwner {
  const match = /^(?<user>[^:]*)(?::(?<group>[^:]+))?$/.exec(text);
  const { user = "", group } = match?.groups ?? {};
  if (match === null || (user === "" && group === undefined))
    throw new UsageError(`--socket-owner takes USER, USER:GROUP or :GROUP, not ${text}`);
  return {
    uid: user === "" ? KEEP : idOf(user, "/etc/passwd", "user"),
    gid: group === undefined ? KEEP : idOf(group, "/etc/group", "group"),
  };
}

/** Reads three or four octal digits. */
export function parseSocketMode(text: string): number {
  if (!/^0?[0-7]{3}$/.test(text))
    throw new UsageError(`--socket-mode takes permissions such as 0660, not ${text}`);
  return Number.parseInt(text, 8);
}

// Lines of both tables are name:password:number:…
function idOf(word: string, table: string, what: string): number {
  if (/^\d+$/.test(word)) return Number(word);
  const line = readTable(table).find((one) => one[0] === word);
  const id = Number(line?.[2]);
  if (line === undefined || !Number.isSafeInteger(id))
    throw new UsageError(
      `--socket-owner: ${table} has no ${what} ${word}; give a number in place of the name`,
    );
  return id;
}

function readTable(table: string): string[][] {
  try {
    return readFileSync(table, "utf8")
      .split("\n")
      .map((line) => line.split(":"));
  } catch {
    return [];
  }
}
