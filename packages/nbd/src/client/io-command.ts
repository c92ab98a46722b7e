import { CevError, IoFlag, Op, ioError, opName } from "@cev/core";
import type { Io } from "@cev/core";
import { errorOfNbd } from "../protocol/errno.ts";
import { Command, CommandFlag } from "../protocol/numbers.ts";
import type { ClientCommand } from "./command.ts";
import type { ServerFailure } from "./durability.ts";

const LAYER = "nbd";

/** Puts into a command what an `Io` asks for, and lets it hear when that is cancelled. */
export function askFor(command: ClientCommand, io: Io): void {
  command.io = io;
  command.offset = io.offset;
  command.length = io.length;
  io.pushAction(ioEnded, command);
  switch (io.op) {
    case Op.read:
      command.command = Command.read;
      command.data = io.data;
      command.dataOffset = io.dataOffset;
      return;
    case Op.flush:
      return askForFlush(command);
    case Op.write:
      command.command = Command.write;
      command.data = io.data;
      command.dataOffset = io.dataOffset;
      break;
    case Op.discard:
      command.command = Command.trim;
      break;
    default:
      command.command = Command.writeZeroes;
      if ((io.flags & IoFlag.noHole) !== 0) command.flags |= CommandFlag.noHole;
      if ((io.flags & IoFlag.fastZero) !== 0) command.flags |= CommandFlag.fastZero;
  }
  if ((io.flags & IoFlag.fua) !== 0) command.flags |= CommandFlag.fua;
}

/** The document reserves offset and length. */
export function askForFlush(command: ClientCommand): void {
  command.command = Command.flush;
  command.offset = 0;
  command.length = 0;
}

/** Ends an `Io` as the server has answered. */
export function failIo(io: Io, { errno, text }: ServerFailure, transferred: number): void {
  const { code, message } = errorOfNbd(errno, opName(io.op), text);
  io.transferred = transferred;
  io.complete(ioError(io, code, message, LAYER));
}

/** Ends an `Io` that was cancelled. */
export function endCancelled(io: Io): void {
  io.complete(ioError(io, "CEV_CANCELLED", "cancelled before the server had answered", LAYER));
}

/** Ends an `Io` for which there is no server any more; null: because the device was closed. */
export function failLost(io: Io, cause: CevError | null): void {
  const message = cause?.message ?? "the connection is closed";
  io.complete(ioError(io, "CEV_DEVICE_LOST", message, LAYER, cause ?? undefined));
}

/** What a device says whose server is gone. */
export function lostError(cause: CevError | null, source: string): CevError {
  if (cause?.code === "CEV_DEVICE_LOST" && cause.place.source === source) return cause;
  const why = cause === null ? "" : `: ${cause.message}`;
  const hint = "look at the server; open the device anew when it is there again";
  return new CevError("CEV_DEVICE_LOST", `the server is lost${why}`, { source, hint, cause });
}

/** Why a server is not believed that refused what it had answered. */
export function replayError({ errno, text }: ServerFailure): CevError {
  const { message } = errorOfNbd(errno, "write", text);
  return new CevError("CEV_IO", `what it had answered could not be written again: ${message}`);
}

function ioEnded(): void {
  // The context is there to hear of a cancel.
}
