import { IoFlag } from "@cev/core";
import type { Export } from "../exports/export.ts";
import type { RequestHead } from "../../protocol/request-head.ts";
import { Command, CommandFlag, NbdErrno, TransmissionFlag } from "../../protocol/numbers.ts";

/** What is checked of a request. */
export type RequestTerms = Readonly<Omit<RequestHead, "cookieHigh" | "cookieLow">>;

/** Whether a request may be done on this export: 0, or the error the document has for it. */
export function checkRequest(
  target: Export,
  offered: number,
  head: RequestTerms,
  hasContexts = false,
  payloadMax: number = target.blockSizes.payloadMax,
): NbdErrno | 0 {
  const { command, flags } = head;
  if ((flags & ~flagsOf(command, offered)) !== 0) return NbdErrno.EINVAL;
  switch (command) {
    case Command.read: {
      const hasDf = (offered & TransmissionFlag.sendDf) !== 0;
      const tooLong = hasDf ? NbdErrno.EOVERFLOW : NbdErrno.EINVAL;
      return checkRange(target, head, NbdErrno.EINVAL) || (head.length > payloadMax ? tooLong : 0);
    }
    case Command.cache:
      return checkRange(target, head, NbdErrno.EINVAL);
    case Command.blockStatus:
      if (!hasContexts || head.length === 0) return NbdErrno.EINVAL;
      return checkRange(target, head, NbdErrno.EINVAL);
    case Command.write:
      if (target.isReadOnly) return NbdErrno.EPERM;
      return checkRange(target, head, NbdErrno.ENOSPC) || (head.length > payloadMax ? NbdErrno.EINVAL : 0);
    case Command.writeZeroes:
      if (target.isReadOnly) return NbdErrno.EPERM;
      if ((offered & TransmissionFlag.sendWriteZeroes) === 0) return NbdErrno.EINVAL;
      return checkRange(target, head, NbdErrno.ENOSPC) || checkFastZero(target, head);
    case Command.trim:
      if (target.isReadOnly) return NbdErrno.EPERM;
      if ((offered & TransmissionFlag.sendTrim) === 0) return NbdErrno.EINVAL;
      return checkRange(target, head, NbdErrno.EINVAL);
    case Command.flush: {
      const isOffered = (offered & TransmissionFlag.sendFlush) !== 0;
      return isOffered && head.offset === 0 && head.length === 0 ? 0 : NbdErrno.EINVAL;
    }
    default:
      return NbdErrno.EINVAL;
  }
}

/** The flags that a command may carry. */
function flagsOf(command: number, offered: number): number {
  const fua = (offered & TransmissionFlag.sendFua) === 0 ? 0 : CommandFlag.fua;
  switch (command) {
    case Command.read:
      return (offered & TransmissionFlag.sendDf) === 0 ? fua : fua | CommandFlag.df;
    case Command.writeZeroes:
      return fua | CommandFlag.noHole | CommandFlag.fastZero;
    case Command.blockStatus:
      return fua | CommandFlag.reqOne;
    default:
      return fua;
  }
}

/** `beyondEnd`: the error for a range that passes the end. */
function checkRange(target: Export, { offset, length }: RequestTerms, beyondEnd: NbdErrno): NbdErrno | 0 {
  const { minimum } = target.blockSizes;
  if (offset + length > target.device.size) return beyondEnd;
  return minimum > 1 && (offset % minimum !== 0 || length % minimum !== 0) ? NbdErrno.EINVAL : 0;
}

/** Zeroes are fast where the layers make them themselves, in whole blocks of theirs. */
function checkFastZero(target: Export, { flags, offset, length }: RequestTerms): NbdErrno | 0 {
  if ((flags & CommandFlag.fastZero) === 0) return 0;
  const alignment = target.fastZeroAlignment;
  const isFast =
    target.device.support.writeZeroes === "native" && offset % alignment === 0 && length % alignment === 0;
  return isFast ? 0 : NbdErrno.ENOTSUP;
}

/** The flags of a request in the words of the stack. */
export function ioFlagsOf(commandFlags: number): number {
  return (
    ((commandFlags & CommandFlag.fua) === 0 ? 0 : IoFlag.fua) |
    ((commandFlags & CommandFlag.noHole) === 0 ? 0 : IoFlag.noHole) |
    ((commandFlags & CommandFlag.fastZero) === 0 ? 0 : IoFlag.fastZero)
  );
}
