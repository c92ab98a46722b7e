import type { DeviceEntry, StackDescription } from "../description.ts";

/** Which device a name in a description means, by the device's own name. */
export type NameOf = (reference: string) => string;

/** A description in which a new entry stands on a device, and all that stood there stands on the new one. */
export function withInserted(
  description: StackDescription,
  { name, above, entry }: { readonly name: string; readonly above: string; readonly entry: DeviceEntry },
  nameOf: NameOf,
): StackDescription {
  const moved = withMoved(description, above, name, nameOf);
  return { ...moved, devices: { ...moved.devices, [name]: entry } };
}

/** A description without an entry; what stood on it stands on what it stood on. */
export function withRemoved(
  description: StackDescription,
  { name, below }: { readonly name: string; readonly below: string },
  nameOf: NameOf,
): StackDescription {
  const moved = withMoved(description, name, below, nameOf);
  const devices = Object.fromEntries(Object.entries(moved.devices).filter(([key]) => key !== name));
  return { ...moved, devices };
}

/** A description with another entry in the place of one. */
export function withReplaced(
  description: StackDescription,
  name: string,
  entry: DeviceEntry,
): StackDescription {
  return { ...description, devices: { ...description.devices, [name]: entry } };
}

/** All that names `from` names `to`. */
function withMoved(
  { devices, exports }: StackDescription,
  from: string,
  to: string,
  nameOf: NameOf,
): StackDescription {
  const move = (reference: string): string => (nameOf(reference) === from ? to : reference);
  return {
    devices: Object.fromEntries(
      Object.entries(devices).map(([key, entry]) => [key, movedEntry(entry, move)]),
    ),
    ...(exports === undefined
      ? {}
      : { exports: Object.fromEntries(Object.entries(exports).map(([key, name]) => [key, move(name)])) }),
  };
}

function movedEntry(entry: DeviceEntry, move: (reference: string) => string): DeviceEntry {
  const { lower, lowers, members } = entry;
  return {
    ...entry,
    ...(lower === undefined ? {} : { lower: move(lower) }),
    ...(lowers === undefined ? {} : { lowers: lowers.map(move) }),
    ...(members === undefined ? {} : { members: members.map(move) }),
  };
}
