import { stat } from "node:fs/promises";
import { CevError } from "@cev/core";
import type { Device } from "@cev/core";
import { isUri } from "@cev/stack";
import type { Stack } from "@cev/stack";
import { closing } from "./closing.ts";
import { openInput } from "./copy-input.ts";
import type { CopyInput } from "./copy-input.ts";
import { reportCopy } from "./copy-report.ts";
import type { CopyReport } from "./copy-report.ts";
import { openTarget } from "./copy-target.ts";
import { DeviceWrites } from "./copy-writes.ts";
import { deviceChunks, readChunks } from "./device-chunks.ts";
import { ExitStatus } from "./exit-status.ts";
import { isAboutTail, tailOf } from "./file-tail.ts";
import { Interrupt } from "./interrupt.ts";
import { LiveProblems } from "./live-problems.ts";
import { complain, notWhole, warnOf } from "./output.ts";
import { placeOf } from "./place.ts";
import { Progress } from "./progress.ts";
import { openSources } from "./sources.ts";
import type { KeyOptions } from "./sources.ts";
import type { LockOptions } from "./open-options.ts";
import { unfinishedSyncs } from "./sync-display.ts";
import { salvage } from "./salvage.ts";
import type { LostRange } from "./salvage.ts";
import { UsageError } from "./usage-error.ts";
import { openDevice } from "./open-device.ts";

export interface CopyOptions extends KeyOptions, LockOptions {
  readonly device: string;
  readonly to?: string;
  readonly from?: string;
  readonly degraded?: boolean;
  /** Goes on where the device cannot be read. */
  readonly salvage?: boolean;
  readonly progress?: boolean;
  readonly json?: boolean;
}

/** `cev copy`: a device's content out, or content into a device. */
export async function copy(sources: readonly string[], options: CopyOptions): Promise<ExitStatus> {
  const { to, from } = options;
  if ((to === undefined) === (from === undefined)) {
    throw new UsageError("give either --to, to read the device, or --from, to write into it");
  }
  if (to === "-" && options.json === true)
    throw new UsageError(
      "standard output is either what is read or JSON: name a file by --to, or leave out --json",
    );
  const isKeyPiped = [...(options.passphraseFile ?? []), ...(options.keyFile ?? [])].includes("-");
  // What is read ahead of the end of a key would be missing in the device.
  if (from === "-" && isKeyPiped)
    throw new UsageError("standard input is either a key or what is written: name a file for one of them");
  using interrupt = new Interrupt();
  const isReadOnly = to !== undefined;
  const live = new LiveProblems();
  const stack = await openSources({
    ...options,
    sources,
    isReadOnly,
    canWriteDegraded: options.degraded === true,
    awayHint: "add --degraded to go on without it",
    only: isReadOnly ? null : [options.device],
    askFor: [options.device],
    onProblem: live.tell,
    signal: interrupt.signal,
  });
  const { copied, warned } = await closing(stack, async () => {
    const told = warnOf(stack, [options.device], to === undefined ? undefined : isAboutTail);
    live.begin();
    const device = await openDevice(stack, options.device, { isReadOnly });
    const surroundings = { signal: interrupt.signal, live };
    try {
      const done =
        to === undefined
          ? await copyIn(stack, device, from!, options, surroundings)
          : await copyOut(stack, device, to, options, surroundings);
      interrupt.signal.throwIfAborted();
      for (const line of unfinishedSyncs(stack)) complain(`warning: ${line}`);
      return { copied: done, warned: told };
    } finally {
      live.progress = null;
    }
  });
  const problems = [...warned, ...live.told];
  reportCopy({ device: options.device, ...copied, problems }, options.json === true);
  return copied.lost.length > 0 ? ExitStatus.failed : ExitStatus.done;
}

type Copied = Pick<CopyReport, "copied" | "lost">;

interface Surroundings {
  readonly signal: AbortSignal;
  readonly live: LiveProblems;
}

async function copyOut(
  stack: Stack,
  device: Device,
  path: string,
  options: CopyOptions,
  { signal, live }: Surroundings,
): Promise<Copied> {
  await refuseOwnImage(stack, path);
  const lost: LostRange[] = [];
  const chunks =
    options.salvage === true ? readChunks(salvage(device, signal, lost)) : deviceChunks(device, signal);
  const tail = await tailOf(stack.find(options.device));
  const size = device.size + tail.length;
  const target = await openTarget(path, size, signal, live.tell);
  using progress = new Progress(device.name, size, options.progress === true);
  live.progress = progress;
  try {
    for await (const { offset, length, data } of chunks) {
      signal.throwIfAborted();
      if (data === null) await target.writeZeroes(offset, length);
      else await target.write(offset, data);
      progress.add(length);
    }
    if (tail.length > 0) await target.write(device.size, tail);
    await target.finish(size);
    return { copied: size, lost };
  } catch (error) {
    await target.abandon();
    throw signal.aborted ? signal.reason : error;
  }
}

async function copyIn(
  stack: Stack,
  device: Device,
  path: string,
  options: CopyOptions,
  { signal, live }: Surroundings,
): Promise<Copied> {
  await refuseOwnImage(stack, path);
  const input = await openInput(path, signal, live.tell);
  return await closing(input, async () => {
    if (input.size !== null && input.size > device.size) throw tooLong(path, input.size, device);
    using progress = new Progress(device.name, input.size ?? device.size, options.progress === true);
    live.progress = progress;
    let copied = 0;
    await writeAll(device, input, path, signal, (length) => {
      copied += length;
      progress.add(length);
    });
    return { copied, lost: [] };
  });
}

async function writeAll(
  device: Device,
  input: CopyInput,
  path: string,
  signal: AbortSignal,
  onWritten: (length: number) => void,
): Promise<void> {
  const writes = new DeviceWrites(device, signal);
  let offset = 0;
  try {
    for await (const chunk of input.chunks()) {
      signal.throwIfAborted();
      if (offset + chunk.length > device.size) throw tooLong(path, null, device);
      await writes.write(offset, chunk);
      onWritten(chunk.length);
      offset += chunk.length;
    }
    await writes.finish();
  } catch (error) {
    await writes.settle();
    if (offset > 0) complain(notWhole(device.name));
    throw signal.aborted ? signal.reason : error;
  }
}

function tooLong(path: string, size: number | null, device: Device): CevError {
  const name = path === "-" ? "standard input" : path;
  const has = size === null ? "more bytes" : `${size} bytes, more`;
  return new CevError("CEV_OUT_OF_RANGE", `it has ${has} than ${device.name}, which has ${device.size}`, {
    source: name,
    hint: "nothing past the end was written; cut the input, or choose a larger device",
  });
}

/** Copying a device onto one of the images it lies on would destroy both. */
async function refuseOwnImage(stack: Stack, path: string): Promise<void> {
  if (path === "-") return;
  if (isUri(path)) return refuseOwnUri(stack, path);
  const facts = await stat(path, { bigint: true }).catch(() => null);
  if (facts === null) return;
  for (const { details, name } of stack.devices) {
    const image = details["path"];
    if (typeof image !== "string") continue;
    const own = await stat(image, { bigint: true }).catch(() => null);
    if (own !== null && own.dev === facts.dev && own.ino === facts.ino) {
      throw new CevError("CEV_BUSY", `this is the image ${name} itself`, {
        source: path,
        hint: "copy from and to different files",
      });
    }
  }
}

/** The same export; two ways to one device cannot be told from here. */
function refuseOwnUri(stack: Stack, uri: string): void {
  const place = placeOf(uri);
  for (const { details, name } of stack.devices) {
    if (typeof details["uri"] !== "string" || placeOf(details["uri"]) !== place) continue;
    throw new CevError("CEV_BUSY", `this is the device ${name} itself`, {
      source: name,
      hint: "copy from and to different devices",
    });
  }
}
