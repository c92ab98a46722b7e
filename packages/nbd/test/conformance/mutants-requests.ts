import { CMD, EIO, EINVAL, ENOSPC, ENOTSUP, answers, errors, requests } from "./mutations.ts";
import type { Mutant } from "./mutations.ts";

/** Bugs of what requests do. */
export const REQUEST_MUTANTS: readonly Mutant[] = [
  {
    bug: "a read past the end is ENOSPC",
    caughtBy: "read/past-the-end-einval",
    mutation: errors(EINVAL, ENOSPC, CMD.read),
  },
  {
    bug: "a read past the end succeeds",
    caughtBy: "read/past-the-end-fails",
    mutation: {
      reply: (message, request) => [
        message.kind === "simple" && request.command === CMD.read && message.error !== 0
          ? { ...message, error: 0, payload: Buffer.alloc(Number(request.length)) }
          : message,
      ],
    },
  },
  {
    bug: "unknown flags of a read are overlooked",
    caughtBy: "read/unknown-flags-einval",
    mutation: requests(CMD.read, (request) => ({ ...request, flags: request.flags & 5 })),
  },
  {
    bug: "an error that the document does not know",
    caughtBy: "read/error-values-known",
    mutation: errors(EINVAL, 61),
  },
  {
    bug: "unknown commands are ENOTSUP",
    caughtBy: "read/enotsup-eoverflow-not-for-bad-requests",
    mutation: errors(EINVAL, ENOTSUP),
  },
  {
    bug: "unknown commands succeed",
    caughtBy: "requests/unknown-command-einval",
    mutation: answers(({ command }) => command > 7, 0),
  },
  {
    bug: "cookies are turned around",
    caughtBy: "requests/cookie-echoed",
    mutation: {
      reply: (message) => [
        { ...message, cookie: ((message.cookie & 0xffff_ffffn) << 32n) | (message.cookie >> 32n) },
      ],
    },
  },
  {
    bug: "the high half of cookies is lost",
    caughtBy: "requests/cookie-echoed",
    mutation: { reply: (message) => [{ ...message, cookie: message.cookie & 0xffff_ffffn }] },
  },
  {
    bug: "a request is answered twice",
    caughtBy: "requests/no-reply-twice",
    mutation: { reply: (message) => [message, message] },
  },
  {
    bug: "one of many requests is dropped",
    caughtBy: "requests/hundred-at-once",
    mutation: requests(CMD.read, (request) => (request.cookie % 37n === 0n ? null : request)),
  },
  {
    bug: "writes are answered and not done",
    caughtBy: "write/reads-back",
    mutation: answers(({ command }) => command === CMD.write, 0),
  },
  {
    bug: "writes go a byte astray",
    caughtBy: "write/changes-nothing-around",
    mutation: requests(CMD.write, (request) =>
      request.payload.length === 1 ? { ...request, offset: request.offset + 1n } : request,
    ),
  },
  {
    bug: "a write past the end is EINVAL",
    caughtBy: "write/past-the-end-enospc",
    mutation: errors(ENOSPC, EINVAL, CMD.write),
  },
  {
    bug: "a write past the end is cut short and succeeds",
    caughtBy: "write/past-the-end-fails-in-step",
    mutation: errors(ENOSPC, 0, CMD.write),
  },
  {
    bug: "FUA is refused",
    caughtBy: "write/fua-accepted",
    mutation: answers(({ command, flags: bits }) => command === CMD.write && (bits & 1) !== 0, EINVAL),
  },
  {
    bug: "the payload of a refused write is taken for requests",
    caughtBy: "write/unknown-flags-einval-in-step",
    mutation: requests(CMD.write, (request) =>
      (request.flags & ~1) === 0 ? request : { ...request, command: 99, length: 0n },
    ),
  },
  {
    bug: "a write to a read-only export is EIO",
    caughtBy: "write/read-only-eperm",
    mutation: errors(1, EIO),
  },
  {
    bug: "a write to a read-only export succeeds",
    caughtBy: "write/read-only-fails-in-step",
    mutation: errors(1, 0),
  },
  {
    bug: "a trim of a read-only export succeeds",
    caughtBy: "trim/read-only-eperm",
    mutation: answers(({ command }) => command === CMD.trim, 0),
  },
  {
    bug: "a write of zeroes to a read-only export succeeds",
    caughtBy: "zeroes/read-only-eperm",
    mutation: answers(({ command }) => command === CMD.zeroes, 0),
  },
  {
    bug: "a trim with a payload succeeds",
    caughtBy: "extended/payload-on-trim-and-zeroes-consumed-einval",
    mutation: answers(({ command, payload }) => command === CMD.trim && payload.length > 0, 0),
  },
  {
    bug: "a flush fails",
    caughtBy: "flush/succeeds",
    mutation: answers(({ command }) => command === CMD.flush, EIO),
  },
  {
    bug: "a flush with FUA is refused",
    caughtBy: "flush/fua-accepted",
    mutation: answers(({ command, flags: bits }) => command === CMD.flush && bits !== 0, EINVAL),
  },
  {
    bug: "a trim reaches further than it was asked to",
    caughtBy: "trim/touches-nothing-around",
    mutation: requests(CMD.trim, (request) => ({
      ...request,
      command: CMD.zeroes,
      length: request.length + 512n,
    })),
  },
  {
    bug: "a trim past the end succeeds",
    caughtBy: "trim/past-the-end-einval",
    mutation: errors(EINVAL, 0, CMD.trim),
  },
  {
    bug: "zeroes are answered and not written",
    caughtBy: "zeroes/read-back",
    mutation: answers(({ command }) => command === CMD.zeroes, 0),
  },
  {
    bug: "zeroes without a hole are refused",
    caughtBy: "zeroes/no-hole-accepted",
    mutation: answers(({ command, flags: bits }) => command === CMD.zeroes && (bits & 2) !== 0, EINVAL),
  },
  {
    bug: "zeroes are ENOTSUP though nobody asked for fast ones",
    caughtBy: "zeroes/no-enotsup-without-fast",
    mutation: answers(({ command }) => command === CMD.zeroes, ENOTSUP),
  },
  {
    bug: "fast zeroes fail with EIO",
    caughtBy: "zeroes/fast-zeroes-or-enotsup",
    mutation: answers(({ command, flags: bits }) => command === CMD.zeroes && (bits & 16) !== 0, EIO),
  },
  {
    bug: "zeroes past the end are EINVAL",
    caughtBy: "zeroes/past-the-end-enospc",
    mutation: errors(ENOSPC, EINVAL, CMD.zeroes),
  },
  {
    bug: "flags of a cache request are overlooked",
    caughtBy: "cache/unknown-flags-rejected",
    mutation: requests(CMD.cache, (request) => ({ ...request, flags: 0 })),
  },
  {
    bug: "DISC is overlooked",
    caughtBy: "disconnect/closes-without-reply",
    mutation: requests(CMD.disconnect, () => null),
  },
  {
    bug: "DISC gets an answer",
    caughtBy: "disconnect/closes-without-reply",
    mutation: answers(({ command }) => command === CMD.disconnect, 0),
  },
  {
    bug: "DISC drops what is under way",
    caughtBy: "disconnect/answers-what-is-under-way",
    mutation: { isHasty: true },
  },
];
