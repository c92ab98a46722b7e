import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { output } from "../src/run.ts";
import type { Sources } from "./sources.ts";

const LIBRARIES = "usr/lib/x86_64-linux-gnu";

/** What the configure scripts of these projects would find on a Linux system of today. */
const CONFIG = `
#define _GNU_SOURCE 1
#define _FILE_OFFSET_BITS 64
#define NBD_LFS 1
#define ISSERVER 1
#define HAVE_FDATASYNC 1
#define HAVE_MKSTEMP 1
#define HAVE_FALLOC_PH 1
#define HAVE_GNUTLS 1
#define HAVE_GNUTLS_NO_SIGNAL 1
#define HAVE_STDATOMIC_H 1
#define PACKAGE_VERSION "0"
#define SIZEOF_UNSIGNED_SHORT_INT 2
#define SIZEOF_UNSIGNED_INT 4
#define SIZEOF_UNSIGNED_LONG_INT 8
#define SIZEOF_UNSIGNED_LONG_LONG_INT 8
`;

/** A C compiler that finds the headers which were unpacked beside the system. */
export class Compiler {
  readonly #folder: string;
  readonly #root: string;

  private constructor(folder: string, root: string) {
    this.#folder = folder;
    this.#root = root;
  }

  static async withHeaders(sources: Sources, folder: string): Promise<Compiler> {
    const names = ["libglib2.0-dev", "libglib2.0-0", "libgnutls28-dev", "libnbd-dev", "libnbd0"];
    writeFileSync(join(folder, "config.h"), CONFIG);
    return new Compiler(folder, await sources.debianFiles(names));
  }

  /** Gives the path of the program. */
  async build(
    name: string,
    files: readonly string[],
    {
      include = [],
      defines = [],
      libraries,
    }: {
      readonly include?: readonly string[];
      readonly defines?: readonly string[];
      readonly libraries: readonly string[];
    },
  ): Promise<string> {
    const program = join(this.#folder, name);
    const headers = ["usr/include", "usr/include/glib-2.0", `${LIBRARIES}/glib-2.0/include`];
    const places = [this.#folder, ...include, ...headers.map((each) => join(this.#root, each))];
    const args = [
      ...[
        "-w",
        "-O1",
        "-pthread",
        ...defines.map((each) => `-D${each}`),
        ...places.map((each) => `-I${each}`),
      ],
      ...["-o", program, ...files, `-L${join(this.#root, LIBRARIES)}`],
      ...libraries.map((each) => `-l:${each}`),
    ];
    await output("cc", args);
    return program;
  }
}
