import { expect, it } from "vitest";
import { MetadataRounds } from "../src/array/metadata-rounds.ts";

it("a round that is asked for as soon as other work begins waits until that has ended", async () => {
  const seen: string[] = [];
  const rounds = new MetadataRounds({
    round: () => {
      seen.push("round");
      return Promise.resolve();
    },
    begin: () => undefined,
    hasMore: () => false,
    giveUp: () => undefined,
  });
  const settled = new Promise<void>((resolve) => {
    void rounds.alone(async () => {
      // A device that is lost fails what is under way on it within the next request.
      rounds.settle(() => resolve(), null);
      seen.push("begin");
      for (let turns = 0; turns < 10; turns++) await Promise.resolve();
      seen.push("end");
    });
  });
  await settled;
  expect(seen).toEqual(["begin", "end", "round"]);
});
