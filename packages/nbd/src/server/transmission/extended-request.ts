import { Command, CommandFlag, NbdErrno, TransmissionFlag } from "../../protocol/numbers.ts";
import type { RequestHead } from "../../protocol/request-head.ts";

/**
 * What a payload may be under extended headers: 0 when all is well, an error to be answered when it has been thrown away, or null when
 * it is too long even for that. `payloadLength`: what follows the head.
 */
export function checkPayload(
  { command, flags }: Readonly<RequestHead>,
  payloadLength: number,
  offered: number,
  payloadMax: number,
): NbdErrno | 0 | null {
  if (payloadLength > payloadMax) return null;
  if (command === Command.write || (flags & CommandFlag.payloadLength) === 0) return 0;
  if (payloadLength === 0) return NbdErrno.EINVAL;
  const hasStatusPayload = (offered & TransmissionFlag.blockStatusPayload) !== 0;
  return command === Command.blockStatus && hasStatusPayload ? 0 : NbdErrno.EINVAL;
}
