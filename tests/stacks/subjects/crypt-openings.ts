/** Encrypted devices as `openPlain` makes them, one over another, over a partition and under a volume. */
import { openPlain } from "@cev/crypt";
import type { PlainSettingsGiven } from "@cev/crypt";
import type { Subject } from "@cev/test-kit";
import { checked, crypt512, disk, diskSupport, linear, window } from "../kinds.ts";
import type { Kind } from "../kinds.ts";

const SIZE = 24_576;

function plain(settings: PlainSettingsGiven & { readonly offset: number }): Kind {
  return {
    name: `plain ${settings.cipher}`,
    support: (lower) => ({ ...lower, discard: "none", writeZeroes: "none" }),
    over: (below) => async (bench, size) => {
      const whole = Math.ceil(size / 4096) * 4096;
      const key = Uint8Array.from({ length: settings.keySize }, (_, index) => index * 5);
      // What is left behind the data belongs to nobody.
      const lower = await below(bench, settings.offset + whole + 4096);
      const { environment } = bench;
      return checked(bench, openPlain(lower, { ...settings, size: whole, key, environment }));
    },
  };
}

const essiv = plain({ cipher: "aes-cbc-essiv:sha256", keySize: 32, offset: 8192, skip: 1 << 20 });
const serpent = plain({
  ...{ cipher: "serpent-xts-plain64", keySize: 64, offset: 4096 },
  ...{ sectorSize: 4096, largeIvs: true },
});

const STACKS: readonly (readonly Kind[])[] = [
  [crypt512, essiv, window],
  [linear, serpent],
];

export const openingSubjects: readonly Subject[] = STACKS.map((kinds) => ({
  name: kinds.map(({ name }) => name).join(" over "),
  manifest: {
    support: kinds.reduceRight((lower, kind) => kind.support(lower), diskSupport),
    // The blocks of a sector are chained.
    ...(kinds.includes(essiv) ? { atomicLength: 512 } : {}),
  },
  create: (bench) => kinds.reduceRight((below, kind) => kind.over(below), disk)(bench, SIZE),
}));
