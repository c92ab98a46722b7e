/** What the command's exit status says. */
export const ExitStatus = { done: 0, failed: 1, usage: 2 } as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];
