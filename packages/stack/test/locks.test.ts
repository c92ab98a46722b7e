import { CevError } from "@cev/core";
import type { KeyQuestion, Layer, OpenContext } from "@cev/core";
import { describe, expect, test } from "vitest";
import { openImages } from "../src/index.ts";
import type { AnyDriver, OpenImagesOptions, Stack } from "../src/index.ts";
import { anyOptions, disk, environment, failureOf, formatDriver, nameOn, put, tailOf } from "./helpers.ts";

/** What happened to locks. */
interface Told {
  /** Keys that were derived. */
  derived: number;
  /** Options, as each call of `open` saw them. */
  readonly options: unknown[];
}

/** A lock that is opened by the byte 1: as a driver does it for which that is dear. */
function lockDriver(told: Told): AnyDriver {
  return formatDriver("lock", {
    lowers: { countMin: 1, countMax: 2 },
    options: {
      "~standard": {
        ...anyOptions["~standard"],
        validate: (value) =>
          "colour" in (value as object)
            ? { issues: [{ message: "no colours", path: ["colour"] }] }
            : { value },
      },
    },
    async open(context) {
      told.options.push(context.options);
      await unlock(context, told);
      const layer = tailOf(context.lowers[0]!.layer);
      return [{ name: `luks/${await nameOn(context)}`, layer, state: "open", details: {} }];
    },
  });
}

async function unlock({ keySource, onWork }: OpenContext<unknown>, told: Told): Promise<void> {
  const { keys, ask, vault } = keySource;
  const kept = vault?.recall("the lock") ?? null;
  if (kept !== null) return expect(kept).toEqual(new Uint8Array([1, 1]));
  const key = keys[0] ?? (await ask?.({ name: "the lock", attempt: 0 })) ?? null;
  if (key === null) throw new CevError("CEV_KEY_REQUIRED", "it is locked");
  onWork?.("unlocking the lock");
  told.derived++;
  if (key[0] !== 1) throw new CevError("CEV_WRONG_KEY", "no key fits");
  vault?.keep("the lock", new Uint8Array([1, 1]));
}

interface Opening {
  readonly stack: Stack;
  readonly told: Told;
  readonly questions: readonly KeyQuestion[];
  readonly works: readonly string[];
}

async function open(
  layers: Readonly<Record<string, Layer>>,
  more: Partial<OpenImagesOptions> = {},
  answer: number | null = 1,
): Promise<Opening> {
  const told: Told = { derived: 0, options: [] };
  const questions: KeyQuestion[] = [];
  const works: string[] = [];
  const sources = Object.entries(layers).map(([name, layer]) => ({ name, layer }));
  const stack = await openImages(sources, {
    environment,
    drivers: [lockDriver(told), formatDriver("box")],
    ask: (question) => {
      questions.push(question);
      return Promise.resolve(answer === null ? null : new Uint8Array([answer]));
    },
    onWork: (what) => works.push(what),
    ...more,
  });
  return { stack, told, questions, works };
}

const locked = (): Layer => put(disk("lock:-:safe"), 512, "box:-:inside");

describe("a person who may be asked", () => {
  test("is asked once, and the key derived once, where a device is opened to be written", async () => {
    const { stack, told, questions, works } = await open({ d0: locked() }, { isReadOnly: false });
    await using opened = stack;
    expect(opened.find("inside").layer).not.toBeNull();
    expect(questions).toEqual([{ name: "the lock", attempt: 0 }]);
    expect(told.derived).toBe(1);
    // Looked at without asking, looked at with the answer, opened.
    expect(told.options).toHaveLength(3);
    expect(works).toEqual(["unlocking the lock"]);
  });

  test("is not asked for a lock that nothing wanted is behind", async () => {
    const { stack, questions } = await open({ d0: locked(), d1: disk("box:-:open") }, { only: ["open"] });
    await using opened = stack;
    expect(questions).toEqual([]);
    expect(opened.find("luks/safe").state).toBe("locked");
  });

  test("is asked for the sake of what is not there yet, as it may be behind the lock", async () => {
    const { stack, questions } = await open({ d0: locked() }, { only: ["inside"], isReadOnly: false });
    await using opened = stack;
    expect(questions).toHaveLength(1);
    expect(opened.find("inside").layer).not.toBeNull();
  });

  test("is not asked where a key was given, right or wrong", async () => {
    for (const key of [1, 2]) {
      const { stack, questions } = await open({ d0: locked() }, { keys: [new Uint8Array([key])] });
      expect(questions).toEqual([]);
      expect(stack.find("luks/safe").layer === null).toBe(key === 2);
      await stack.close();
    }
  });

  test("may have no answer, and the lock is listed as locked", async () => {
    const { stack, told } = await open({ d0: locked() }, {}, null);
    await using opened = stack;
    expect(opened.find("luks/safe").state).toBe("locked");
    expect(opened.problems.map(({ code }) => code)).toEqual(["CEV_KEY_REQUIRED"]);
    expect(told.derived).toBe(0);
  });
});

describe("what is known beforehand", () => {
  test("is opened in its order, whatever the devices seem to carry", async () => {
    const data = put(disk("box:-:looks-like-a-box"), 512, "box:-:inside");
    const known = [{ driver: "lock", lowers: ["d1", "d0"], options: { size: 1 } }];
    const { stack, told } = await open({ d0: disk("lock:-:head"), d1: data }, { known, isReadOnly: false });
    await using opened = stack;
    expect(opened.find("inside").lowers.map(({ lowers }) => lowers.map(({ name }) => name))).toEqual([
      ["d1", "d0"],
    ]);
    expect(told.options).toEqual([{ size: 1 }, { size: 1 }, { size: 1 }]);
  });

  test("has devices that are there", async () => {
    const known = [{ driver: "lock", lowers: ["d0", "d7"] }];
    const { code, line } = await failureOf(open({ d0: locked() }, { known }));
    expect(code).toBe("CEV_NOT_FOUND");
    expect(line).toMatch(/no device d7 for lock to open; there are d0/);
  });
});

describe("a device that is named twice", () => {
  test("is refused, by whatever name", async () => {
    const known = [{ driver: "lock", lowers: ["d0", "d0"] }];
    const { code, line } = await failureOf(open({ d0: locked() }, { known }));
    expect(code).toBe("CEV_INVALID");
    expect(line).toMatch(/stand on d0 twice/);
  });
});

describe("options for all that a driver opens", () => {
  test("reach what was found, and are kept where it is opened again to be written", async () => {
    const driverOptions = { lock: { limit: 7 } };
    const { stack, told } = await open({ d0: locked() }, { driverOptions, isReadOnly: false });
    await using opened = stack;
    expect(told.options).toEqual([{ limit: 7 }, { limit: 7 }, { limit: 7 }]);
    expect(opened.describe().devices["luks/safe"]).toMatchObject({ driver: "lock", limit: 7 });
  });

  test("leave those of an entry that is known as they are", async () => {
    const { stack, told } = await open(
      { d0: locked() },
      {
        driverOptions: { lock: { limit: 7 } },
        known: [{ driver: "lock", lowers: ["d0"], options: { own: 1 } }],
      },
    );
    await stack.close();
    expect(told.options.at(-1)).toEqual({ own: 1 });
  });

  test("are refused at once where the driver does not know them, or is not there", async () => {
    for (const [driverOptions, code, words] of [
      [{ lock: { colour: "red" } }, "CEV_INVALID", /no colours/],
      [{ bolt: {} }, "CEV_NOT_FOUND", /options for bolt/],
    ] as const) {
      const failure = await failureOf(open({ d0: disk("box:-:open") }, { driverOptions }));
      expect(failure.code).toBe(code);
      expect(failure.line).toMatch(words);
    }
  });
});
