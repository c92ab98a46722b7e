import { fc, test } from "@fast-check/vitest";
import { expect } from "vitest";
import { ModelDevice, hashOf } from "../src/index.ts";

const bytes = fc.uint8Array({ maxLength: 40 });

test.prop([bytes, fc.nat(9), fc.nat(), fc.integer({ min: 1, max: 255 })])(
  "a hash is the same for the same bytes, wherever they lie, and another when one of them changes",
  (data, offset, at, change) => {
    const elsewhere = new Uint8Array(data.length + offset + 3);
    elsewhere.set(data, offset);
    expect(hashOf(elsewhere, offset, data.length)).toBe(hashOf(data));
    expect(hashOf(elsewhere.subarray(offset, offset + data.length))).toBe(hashOf(data));
    if (data.length === 0) return;
    const changed = data.slice();
    changed[at % data.length]! ^= change;
    expect(hashOf(changed)).not.toBe(hashOf(data));
  },
);

test.prop([bytes, bytes, fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }), fc.nat(9)])(
  "a model finds the first byte that is known and read otherwise",
  (held, other, isKnown, offset) => {
    const model = new ModelDevice(64);
    model.write(offset, held);
    const read = Uint8Array.from(held, (byte, index) =>
      isKnown[index] === true ? byte : (other[index] ?? byte),
    );
    isKnown.forEach((one, index) => {
      if (!one && index % 2 === 0) model.forget(offset + index, 1);
    });
    const first = read.findIndex((byte, index) => index % 2 === 1 && byte !== held[index]);
    expect(model.firstDifference(offset, read)).toBe(first < 0 ? -1 : offset + first);
  },
);
