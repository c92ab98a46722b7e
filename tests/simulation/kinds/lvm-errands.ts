import { Device, readBytes, writeBytes } from "@cev/core";
import type { Environment, Layer, NamedLayer } from "@cev/core";
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
  /** Error codes of what is refused where it has been done before. */
  readonly doneCode: string;
}

/** Chores that make a note on the first physical volume: the errand is run when the group is opened next. */
export function errandChores(errands: readonly Errand[]): Chore[] {
  return errands.map(({ name, isPossible }, index) => ({
    name,
    isPossible,
    async run({ lowers, environment }) {
      await note(lowers[0]!.layer, environment, { index, state: ASKED });
      return [];
    },
  }));
}

/**
 * Runs the errand that was noted, before anything of the group is opened. One that was cut short is left as it is when the group is opened
 * next, so that the work meets what it left; noted again it goes on.
 */
export async function runErrand(
  { environment, whole }: SimulationSite,
  errands: readonly Errand[],
): Promise<void> {
  const lowers = whole();
  const [{ layer }] = lowers as [NamedLayer];
  const { index, state } = await noted(layer, environment);
  const errand = errands[index];
  if (errand === undefined || state === 0) return;
  if (state === ASKED) {
    await note(layer, environment, { index, state: BEGUN });
    await run(lowers, environment, errand);
  }
  await note(layer, environment, { index, state: 0 });
}

async function run(
  lowers: readonly NamedLayer[],
  environment: Environment,
  { request, doneCode }: Errand,
): Promise<void> {
  const devices: Device[] = [];
  try {
    for (const { name, layer } of lowers) devices.push(await Device.open(layer, environment, { name }));
    await runCommand({ environment, devices, mergeStore: mergeSnapshot }, request);
  } catch (error) {
    if ((error as { readonly code?: string }).code !== doneCode) throw error;
  } finally {
    for (const device of devices) await device.close();
  }
}

interface Note {
  readonly index: number;
  readonly state: number;
}

async function noted(layer: Layer, environment: Environment): Promise<Note> {
  const head = await readBytes(layer, environment, 0, HEAD_LENGTH);
  return { index: head[NOTE_OFFSET]!, state: head[NOTE_OFFSET + 1]! };
}

async function note(layer: Layer, environment: Environment, { index, state }: Note): Promise<void> {
  const head = (await readBytes(layer, environment, 0, HEAD_LENGTH)).slice();
  head[NOTE_OFFSET] = index;
  head[NOTE_OFFSET + 1] = state;
  await writeBytes(layer, environment, 0, head, true);
}
