import { CevError, isCevError } from "@cev/core";

/** What the system said of a file, as an error with a code and the file's path. */
export function fileError(path: string, error: unknown): CevError {
  if (isCevError(error)) return error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const place = { source: path, cause: error };
  if (code === "ENOENT") return new CevError("CEV_NOT_FOUND", "there is no such file", place);
  if (code === "EACCES" || code === "EPERM")
    return new CevError("CEV_ACCESS", "this file may not be read", place);
  if (code === "EISDIR") return new CevError("CEV_INVALID", "this is a folder, not a file", place);
  return new CevError(
    "CEV_IO",
    `it cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    place,
  );
}
