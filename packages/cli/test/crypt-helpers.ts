import { spawnSync } from "node:child_process";
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./helpers.ts";
import type { Ended } from "./helpers.ts";
import { run } from "./in-process.ts";

/** Deriving a key costs next to nothing. */
export const CHEAP: readonly string[] = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];

export const hasCryptsetup: boolean = spawnSync("cryptsetup", ["--version"]).status === 0;

/** A folder with an image, and keys in files of their own names. */
export interface CryptFolder {
  readonly cwd: string;
  /** Runs `cev crypt` in this process. */
  readonly crypt: (...words: string[]) => Promise<Ended>;
  /** Runs `cryptsetup`, the judge. Throws where it fails, unless that is expected. */
  readonly judge: (words: readonly string[], isFailing?: boolean) => string;
  readonly file: (name: string, content: string | Uint8Array) => string;
}

export const IMAGE = "disk.img";

/** An image of nothing, and the keys a, b and c. */
export function cryptFolder(size: number = 20 << 20): CryptFolder {
  const cwd = temporaryFolder();
  const file = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(cwd, name), content);
    return join(cwd, name);
  };
  truncateSync(file(IMAGE, ""), size);
  for (const name of ["a", "b", "c"]) file(name, `key ${name}`);
  return {
    cwd,
    crypt: (...words) => run(["crypt", ...words], { cwd }),
    judge(words, isFailing = false) {
      const ended = spawnSync("cryptsetup", [...words, "--disable-locks"], { cwd, encoding: "utf8" });
      if ((ended.status === 0) === isFailing)
        throw new Error(`cryptsetup ${words.join(" ")}: ${ended.status} ${ended.stderr}`);
      return ended.stdout;
    },
    file,
  };
}

/** The same with a LUKS device that the key a opens. */
export async function luksFolder(...words: string[]): Promise<CryptFolder> {
  const folder = cryptFolder();
  const made = await folder.crypt("luksFormat", "-q", ...CHEAP, ...words, IMAGE, "a");
  if (made.status !== 0) throw new Error(made.stderr);
  return folder;
}
