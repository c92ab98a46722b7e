import { Random } from "../../src/random.ts";
import { damageJson } from "./json-damage.ts";
import { COPIES_END, JSON_OFFSET, SECOND_COPY, headerOf, jsonOf, putJson, sealCopies } from "./headers.ts";
import type { GoodDevice } from "./headers.ts";

/** A header with something wrong in it. */
export interface Damaged {
  readonly title: string;
  /** The image that carries it; the others are as they were. */
  readonly image: Uint8Array;
  /** A whole copy is left: it must open as if nothing were wrong. */
  readonly mustOpen: boolean;
}

const WORDS = [0, 1, 7, 8, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** Damaged headers: every bit and every word of the fields, where there are copies in one and in both, and JSON by chance. */
export function* damagedHeaders(good: GoodDevice, seed: number, jsonCount: number): Generator<Damaged> {
  const header = headerOf(good);
  const isLuks1 = good.kind === "luks1";
  for (let at = 0; at < good.fieldsLength; at++)
    for (let bit = 0; bit < 8; bit++) {
      const flip = (image: Uint8Array, offset: number): void => void (image[offset]! ^= 1 << bit);
      const title = `bit ${bit} of byte ${at}`;
      if (isLuks1) yield changed(title, false, (image) => flip(image, at));
      else {
        yield changed(`${title} of the first copy`, true, (image) => flip(image, at));
        yield changed(`${title} of both copies, sealed`, false, (image) => {
          flip(image, at);
          flip(image, SECOND_COPY + at);
          sealCopies(image);
        });
      }
    }
  for (let at = 0; at < good.fieldsLength; at += 4)
    for (const word of WORDS)
      yield changed(`the word at ${at} is ${word}`, false, (image) => {
        const view = new DataView(image.buffer, image.byteOffset);
        view.setUint32(at, word);
        if (isLuks1) return;
        view.setUint32(SECOND_COPY + at, word);
        sealCopies(image);
      });
  if (isLuks1) return;
  const text = jsonOf(header);
  const textLength = Buffer.byteLength(text);
  for (let bit = 0; bit < textLength * 8; bit++)
    yield changed(
      `bit ${bit & 7} of byte ${bit >> 3} of the JSON text of both copies, sealed`,
      false,
      (image) => {
        for (const copy of [0, SECOND_COPY]) image[copy + JSON_OFFSET + (bit >> 3)]! ^= 1 << (bit & 7);
        sealCopies(image);
      },
    );
  for (let number = 0; number < jsonCount; number++) {
    const json = damageJson(text, new Random(seed * 1_000_003 + number));
    yield changed(`JSON ${number}`, false, (image) => {
      putJson(image, Buffer.from(json));
      sealCopies(image);
    });
  }

  function changed(title: string, mustOpen: boolean, change: (image: Uint8Array) => void): Damaged {
    const image = header.slice();
    change(image);
    return { title: `${good.kind}: ${title}`, image, mustOpen };
  }
}

/** One bit of the two copies of a LUKS2 header, its JSON texts and all that is zero behind them: every so manieth, from one that the seed chooses. */
export function* flippedCopies(good: GoodDevice, every: number, seed: number): Generator<Damaged> {
  if (good.kind === "luks1") return;
  const header = headerOf(good);
  for (let bit = new Random(seed).below(every); bit < COPIES_END * 8; bit += every) {
    const image = header.slice();
    image[bit >> 3]! ^= 1 << (bit & 7);
    yield { title: `${good.kind}: bit ${bit & 7} of byte ${bit >> 3} of the copies`, image, mustOpen: true };
  }
}
