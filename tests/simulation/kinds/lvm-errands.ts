import { Device, isCevError, readBytes, writeBytes } from "@cev/core";
import type { Environment, ErrorCode, Layer, NamedLayer } from "@cev/core";
import { runCommand } from "@cev/lvm";
import type { CommandRequest } from "@cev/lvm";
import { mergeSnapshot } from "@cev/snapshot";
import type { Chore, SimulationSite } from "@cev/test-kit";

// Behind the label and before the metadata area nobody looks.
const HEAD_LENGTH = 4096;
const NOTE_OFFSET = 2048;

const ASKED = 1;
const BEGUN = 2;

/** What a group is told to do while none of its volumes is open. */
export interface Errand {
  readonly name: string;
  readonly isPossible: NonNullable<Chore["isPossible"]>;
  readonly request: CommandRequest;
  /** What it is refused with where there is nothing to do. */
  readonly refusal: { readonly code: ErrorCode; readonly text: string };
}

/** Its metadata is written anew, and nothing of it changes that anybody could see. */
export const TAG_ERRAND: Errand = {
  name: "tag the group",
  isPossible: () => true,
  request: { command: "vgchange", group: "vg", addTags: ["seen"] },
  refusal: { code: "CEV_INVALID", text: "would be changed" },
};

/** Chores that make a note on the first physical volume: the errand is run when the group is opened next. */
export function errandChores(errands: readonly Errand[]): Chore[] {
  return errands.map(({ name, isPossible }, index) => ({
    name,
    isPossible,
    async run({ lowers, environment }) {
      const [{ layer }] = lowers as [NamedLayer];
      const { begunCount } = await noted(layer, environment);
      await note(layer, environment, { index, state: ASKED, begunCount });
      return [];
    },
  }));
}

/**
 * Runs the errand that was noted, before anything of the group is opened. One that was cut short is left as it is when the group is opened
 * next, so that the work meets what it left; noted again it goes on. Resolves with how many have been begun.
 */
export async function runErrand(
  { environment, whole }: SimulationSite,
  errands: readonly Errand[],
): Promise<number> {
  const lowers = whole();
  const [{ layer }] = lowers as [NamedLayer];
  const { index, state, begunCount } = await noted(layer, environment);
  const errand = errands[index];
  if (errand === undefined || state === 0) return begunCount;
  if (state === BEGUN) {
    await note(layer, environment, { index, state: 0, begunCount });
    return begunCount;
  }
  const begun = Math.min(begunCount + 1, 255);
  await note(layer, environment, { index, state: BEGUN, begunCount: begun });
  await run(lowers, environment, errand);
  await note(layer, environment, { index, state: 0, begunCount: begun });
  return begun;
}

async function run(
  lowers: readonly NamedLayer[],
  environment: Environment,
  { request, refusal }: Errand,
): Promise<void> {
  const devices: Device[] = [];
  try {
    for (const { name, layer } of lowers) devices.push(await Device.open(layer, environment, { name }));
    await runCommand({ environment, devices, mergeStore: mergeSnapshot }, request);
  } catch (error) {
    const isRefused =
      isCevError(error) && error.code === refusal.code && error.message.includes(refusal.text);
    if (!isRefused) throw error;
  } finally {
    for (const device of devices) await device.close();
  }
}

interface Note {
  readonly index: number;
  readonly state: number;
  /** Errands that were begun. */
  readonly begunCount: number;
}

async function noted(layer: Layer, environment: Environment): Promise<Note> {
  const head = await readBytes(layer, environment, 0, HEAD_LENGTH);
  const [index, state, begunCount] = head.subarray(NOTE_OFFSET);
  return { index: index!, state: state!, begunCount: begunCount! };
}

async function note(
  layer: Layer,
  environment: Environment,
  { index, state, begunCount }: Note,
): Promise<void> {
  const head = (await readBytes(layer, environment, 0, HEAD_LENGTH)).slice();
  head.set([index, state, begunCount], NOTE_OFFSET);
  await writeBytes(layer, environment, 0, head, true);
}
