import { userInfo } from "node:os";
import { INTERFACE_VERSION } from "@cev/core";
import type { Driver, OpenContext, OpenedDevice } from "@cev/core";
import { NBD_URI_SCHEMES, longNameOfNbdUri, nameOfNbdUri, parseNbdUri } from "../protocol/uri.ts";
import { nbdOptions, nbdOptionsSchema } from "./client-options.ts";
import type { NbdOptions } from "./client-options.ts";
import { NbdLayer } from "./nbd-layer.ts";

/** `@cev/nbd` in a stack file, and URIs of NBD on a command line. Relative paths of certificates and keys start at the context's directory. */
export const nbdDriver: Driver<NbdOptions> = {
  name: "@cev/nbd",
  interfaceVersion: INTERFACE_VERSION,
  summary: "an export of an NBD server",
  options: nbdOptions,
  optionsSchema: nbdOptionsSchema,
  lowers: { countMin: 0, countMax: 0 },
  uriSchemes: NBD_URI_SCHEMES,
  fromUri(uri) {
    const parsed = parseNbdUri(uri);
    return { options: { uri }, name: nameOfNbdUri(parsed), longName: longNameOfNbdUri(parsed) };
  },
  async open(context: OpenContext<NbdOptions>): Promise<readonly OpenedDevice[]> {
    const { environment, options, directory } = context;
    const readOnly = context.isReadOnly || options.readOnly === true;
    const layer = await NbdLayer.at(
      environment,
      { ...options, readOnly },
      { directory, loginName: loginName(), report: (problem) => context.report(problem) },
    );
    const { source, description, isTls, connectionCount, isReadOnly } = layer;
    const details = {
      uri: source,
      size: layer.limits.size,
      readOnly: isReadOnly,
      tls: isTls,
      connections: connectionCount,
      ...(description === null ? {} : { description }),
    };
    return [{ name: null, layer, state: "clean", details }];
  },
};

function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without a name, as in some containers.
    return "";
  }
}
