import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { output } from "../src/run.ts";

const FETCH = { timeoutMs: 600_000 };

/** The folder with the sources and packages of other projects; what is missing is fetched when it is asked for. */
export class Sources {
  readonly folder: string;
  #indexed = false;

  constructor(folder: string) {
    this.folder = resolve(folder);
    mkdirSync(this.folder, { recursive: true });
  }

  /** The sources of nbd-server with its test programs, which Debian's package lacks. */
  async nbd(): Promise<string> {
    const folder = join(this.folder, "nbd");
    if (!existsSync(join(folder, "tests/run/nbd-tester-client.c"))) {
      const url = "https://github.com/NetworkBlockDevice/nbd";
      await output("git", ["clone", "--quiet", "--depth", "1", url, folder], FETCH);
    }
    return folder;
  }

  /** A Debian source package, unpacked: the folder whose name begins with `name-`. */
  async debianSource(name: string): Promise<string> {
    const found = this.#unpacked(name);
    if (found !== null) return found;
    await this.#apt(["source", "--download-only", name]);
    const archive = readdirSync(this.folder).find(
      (file) => file.startsWith(`${name}_`) && file.includes(".orig.tar"),
    );
    await output("tar", ["-xf", join(this.folder, archive!), "-C", this.folder], FETCH);
    return this.#unpacked(name)!;
  }

  /** Debian packages, unpacked into one tree that nobody else sees. */
  async debianFiles(names: readonly string[]): Promise<string> {
    const root = join(this.folder, "root");
    mkdirSync(root, { recursive: true });
    for (const name of names) {
      const mark = join(root, `.has-${name}`);
      if (existsSync(mark)) continue;
      await this.#apt(["download", name]);
      const file = readdirSync(this.folder).find(
        (each) => each.startsWith(`${name}_`) && each.endsWith(".deb"),
      );
      await output("dpkg", ["-x", join(this.folder, file!), root], FETCH);
      writeFileSync(mark, "");
    }
    return root;
  }

  #unpacked(name: string): string | null {
    const pattern = new RegExp(`^${name}-\\d`);
    const found = readdirSync(this.folder, { withFileTypes: true }).find(
      (each) => each.isDirectory() && pattern.test(each.name),
    );
    return found === undefined ? null : join(this.folder, found.name);
  }

  /** Runs apt-get with lists of its own, so that the system's stay as they are. */
  async #apt(args: readonly string[]): Promise<void> {
    const lists = join(this.folder, "lists");
    const list = join(this.folder, "sources.list");
    const options = [
      ["Dir::Etc::sourcelist", list],
      ["Dir::Etc::sourceparts", "-"],
      ["Dir::State::lists", lists],
      ["APT::Sandbox::User", "root"],
    ].flatMap(([key, value]) => ["-o", `${key}=${value}`]);
    if (!this.#indexed) {
      mkdirSync(join(lists, "partial"), { recursive: true });
      writeFileSync(list, await debianSources());
      await output("apt-get", [...options, "-qq", "update"], FETCH);
      this.#indexed = true;
    }
    const script = 'cd "$1" && shift && exec apt-get "$@"';
    await output("sh", ["-c", script, "apt", this.folder, ...options, "-qq", ...args], FETCH);
  }
}

/** The archive this system is installed from, with its source packages. */
async function debianSources(): Promise<string> {
  const format = "$(REPO_URI) $(RELEASE) $(COMPONENT)";
  const lines = await output("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  const own = lines.split("\n").filter((line) => / \S+ main$/.test(line) && line.includes("debian"));
  return [...new Set(own)].flatMap((line) => [`deb ${line}\n`, `deb-src ${line}\n`]).join("");
}
