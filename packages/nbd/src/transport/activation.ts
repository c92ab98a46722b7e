import { CevError } from "@cev/core";

/** What a process was started with. */
export interface StartedWith {
  readonly pid: number;
  /** Its environment variables. */
  readonly variables: Readonly<Record<string, string | undefined>>;
}

// The first after standard input, output and error.
const FIRST_FD = 3;
const COUNT_MAX = 1024;

/**
 * The listening sockets that whoever started this process has opened for it, as systemd does (sd_listen_fds): LISTEN_FDS
 * says how many, LISTEN_PID for which process. None where they are not for this one. Throws `CEV_INVALID` for no number.
 */
export function activatedFds({ pid, variables }: StartedWith): readonly number[] {
  const { LISTEN_PID: forPid, LISTEN_FDS: countText } = variables;
  if (forPid === undefined || countText === undefined || forPid !== String(pid)) return [];
  const count = /^\d{1,4}$/.test(countText) ? Number(countText) : 0;
  if (count < 1 || count > COUNT_MAX)
    throw new CevError("CEV_INVALID", `LISTEN_FDS is ${JSON.stringify(countText)}, and should be a count`);
  return Array.from({ length: count }, (_, index) => FIRST_FD + index);
}
