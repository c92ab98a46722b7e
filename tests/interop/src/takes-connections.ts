import { connect } from "node:net";

/** Whether somebody listens at a Unix socket: its file is there a moment before that. */
export function takesConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}
