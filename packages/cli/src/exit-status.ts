/** What the command's exit status says. `unreachable`: there was no server to say anything of. */
export const ExitStatus = { done: 0, failed: 1, usage: 2, unreachable: 3 } as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];
