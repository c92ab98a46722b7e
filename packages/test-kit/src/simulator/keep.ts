import { requestsOf } from "./step.ts";
import type { Step } from "./step.ts";

/** Steps of a script by their numbers, each with the requests that are left of it; null: all of them. */
export type Keep = ReadonlyMap<number, readonly number[] | null>;

/** What is left of a script: "0,3-5,7:0.2", where of step 7 only requests 0 and 2 are left; nothing: "none". */
export function keepText(script: readonly Step[], whole: readonly Step[]): string {
  const parts: string[] = [];
  for (let at = 0; at < script.length;) {
    const { index } = script[at]!;
    const requests = requestsOf(script[at]!);
    if (requests.length < requestsOf(whole[index]!).length) {
      parts.push(`${index}:${requests.map((request) => request.index).join(".")}`);
      at++;
      continue;
    }
    let end = at;
    while (isNext(script[end]!, script[end + 1], whole)) end++;
    parts.push(end === at ? String(index) : `${index}-${script[end]!.index}`);
    at = end + 1;
  }
  return parts.length === 0 ? "none" : parts.join(",");
}

function isNext(step: Step, next: Step | undefined, whole: readonly Step[]): boolean {
  return next?.index === step.index + 1 && requestsOf(next).length === requestsOf(whole[next.index]!).length;
}

/** The other way. Null: it is no such text. */
export function parseKeep(text: string): Keep | null {
  const keep = new Map<number, readonly number[] | null>();
  if (text === "none") return keep;
  for (const part of text.split(",")) {
    const match = /^(?<first>\d{1,6})(?:-(?<last>\d{1,6})|:(?<requests>(?:\d{1,3}(?:\.\d{1,3})*)?))?$/.exec(
      part,
    );
    if (match === null) return null;
    const { first, last, requests } = match.groups as Readonly<Record<string, string | undefined>>;
    for (let index = Number(first); index <= Number(last ?? first); index++) keep.set(index, null);
    if (requests !== undefined)
      keep.set(Number(first), requests === "" ? [] : requests.split(".").map(Number));
  }
  return keep;
}

/** What is left of a script. */
export function kept(script: readonly Step[], keep: Keep): Step[] {
  return script.flatMap((step) => {
    const requests = keep.get(step.index);
    if (requests === undefined) return [];
    return requests === null ? [step] : [withRequests(step, (index) => requests.includes(index))];
  });
}

/** A step with some of its requests. */
export function withRequests(step: Step, isKept: (index: number) => boolean): Step {
  if (!("requests" in step)) return step;
  return { ...step, requests: step.requests.filter(({ index }) => isKept(index)) };
}
