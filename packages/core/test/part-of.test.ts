import { describe, expect, test } from "vitest";
import { CompoundIoPool, Io, Op, allMustSucceed, environmentFrom, leadsTo, partOf } from "../src/index.ts";

const { runQueue } = environmentFrom(globalThis);

function newRequest(): Io {
  return new Io(runQueue).prepare(Op.read, 0, 1024, new Uint8Array(1024));
}

/** Splits a request in two; gives the parts, which are under way. */
function split(io: Io): readonly Io[] {
  const parts: Io[] = [];
  const below = { name: "below", submit: (part: Io) => void parts.push(part) };
  const compound = new CompoundIoPool({ name: "above" }).over(io, allMustSucceed);
  compound.add(below, Op.read, 0, 512, io.data, 0);
  compound.add(below, Op.read, 512, 512, io.data, 512);
  compound.submit();
  return parts;
}

describe("a part of a request", () => {
  test("knows what it is a part of, and a whole request is part of nothing", () => {
    const io = newRequest();
    const [, second] = split(io);
    expect(partOf(second!)).toMatchObject({ index: 1, compound: { io, owner: { name: "above" } } });
    expect(partOf(io)).toBeNull();
    expect(partOf(newRequest())).toBeNull();
  });

  test("is led to by the whole for as long as that is under way, through any number of layers", () => {
    const io = newRequest();
    const [first, second] = split(io);
    const [outer, inner] = split(first!);
    expect(leadsTo(io, inner!)).toBe(true);
    expect(leadsTo(second!, inner!)).toBe(false);
    expect(leadsTo(newRequest(), inner!)).toBe(false);
    for (const part of [outer!, inner!, second!]) part.complete();
    expect(io.isUpToDate).toBe(true);
    expect(leadsTo(io, second!)).toBe(false);
  });

  test("is led to by each of those that were gathered into one", () => {
    const [one, other, gathered] = [newRequest(), newRequest(), newRequest()];
    const [part] = split(gathered);
    const gathering = { gatheredInto: gathered, onCancel: () => undefined };
    for (const io of [one, other]) io.pushAction(() => undefined, gathering);
    expect([leadsTo(one, part!), leadsTo(other, part!)]).toEqual([true, true]);
  });
});
