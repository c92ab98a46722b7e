import { CevError } from "@cev/core";
import type { Problem } from "@cev/core";
import type { Member, MemberDevice } from "./member.ts";

/** What is to be said when a member fails. `isBroken`: the array cannot do without it. */
export function memberFailure(member: Member, cause: CevError, isBroken: boolean): Problem {
  const failed = `active device ${member.index} (${member.name}) has failed: ${cause.message}`;
  return {
    severity: isBroken ? "error" : "warning",
    code: "CEV_DEGRADED",
    message: isBroken
      ? `${failed}; another is missing already, so the array takes no more writes: save what can be read`
      : `${failed}; replace it`,
    device: member.name,
  };
}

/** What is to be said when a spare fails. */
export function spareFailure({ name }: MemberDevice, cause: CevError): Problem {
  const message = `the spare ${name} has failed: ${cause.message}; replace it`;
  return { severity: "warning", code: "CEV_DEGRADED", message, device: name };
}

/** Why nothing more can be recorded. */
export function brokenError(layer: string): CevError {
  return new CevError(
    "CEV_DEGRADED",
    "more members are gone than can be done without: nothing more is written",
    { layer, hint: "open the array again with more of its members" },
  );
}
