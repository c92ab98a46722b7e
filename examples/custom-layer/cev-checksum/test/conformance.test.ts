import { testLayer } from "@cev/test-kit/node-test";
import { subjectOf } from "./subject.ts";

const SIZE = 65_536;

testLayer(subjectOf("over blocks of 512", { size: SIZE }));
testLayer(
  subjectOf("over blocks of 4096 without FUA, zeroes and discards", {
    size: 4 * SIZE,
    blockSize: 4096,
    support: { fua: "none", writeZeroes: "none", discard: "none" },
  }),
);
testLayer(subjectOf("read-only", { size: SIZE }, true));
