import { describe, expect, it } from "vitest";
import { openError } from "../src/file-errors.ts";

const errno = (code: string): Error => Object.assign(new Error(code), { code });

const NO_ROOM = "there is no room for it, or the system lets no file become so large";

describe("the error of a file that cannot be opened", () => {
  it.each([
    ["EACCES", "CEV_ACCESS", "check its permissions", "check its permissions, or open it read-only"],
    ["EBUSY", "CEV_BUSY", "it may be mounted or in use", "it may be mounted or in use; open it read-only"],
    ["EFBIG", "CEV_NO_SPACE", NO_ROOM, NO_ROOM],
    ["ENOENT", "CEV_NOT_FOUND", "check the path", "check the path"],
  ])("%s does not advise to open read-only what was opened so", (cause, code, readOnly, writable) => {
    expect(openError(errno(cause), "disk.img", true)).toMatchObject({ code, place: { hint: readOnly } });
    expect(openError(errno(cause), "disk.img", false)).toMatchObject({ code, place: { hint: writable } });
  });
});
