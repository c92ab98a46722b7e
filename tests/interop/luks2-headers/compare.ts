import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "@cev/test-kit";
import { baseImage, baseTexts } from "./bases.ts";
import { cevOn, cryptsetupOn, forge } from "./judges.ts";
import { mutatedText } from "./mutate.ts";

/** A header that one accepts and the other does not. */
interface Difference {
  readonly text: string;
  readonly cryptsetup: string;
  readonly cev: string;
}

/** How many headers both took for valid, both refused, and those on which they differ. */
export interface Comparison {
  readonly valid: number;
  readonly refused: number;
  readonly differing: readonly Difference[];
}

/** Judges headers with metadata changed by chance, by cryptsetup and by cev. */
export async function compareMany(options: {
  readonly folder: string;
  readonly count: number;
  readonly random: Random;
}): Promise<Comparison> {
  const { random, count } = options;
  const image = baseImage();
  const path = join(options.folder, "header.img");
  writeFileSync(path, image);
  const bases = baseTexts();
  let [valid, refused] = [0, 0];
  const differing: Difference[] = [];
  for (let index = 0; index < count; index++) {
    // The first ones as they are: all of them are valid.
    const text = index < bases.length ? bases[index]! : mutatedText(random.pick(bases), random);
    if (!forge(image, Buffer.from(text, "utf8"))) continue;
    const [cryptsetup, cev] = [cryptsetupOn(path, image), await cevOn(image)];
    if (cryptsetup.isValid !== cev.isValid)
      differing.push({ text, cryptsetup: head(cryptsetup.text), cev: head(cev.text) });
    else if (cev.isValid) valid++;
    else refused++;
  }
  return { valid, refused, differing };
}

function head(text: string): string {
  return text.slice(0, 200).replaceAll(/\s+/g, " ");
}
