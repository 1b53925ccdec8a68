/** A Unix socket whose connections go on to another one. */
import { createConnection, createServer, type Socket } from "node:net";

/** @param path of the new socket @returns what ends it, with its connections @throws {Error} */
export async function relaySocket(path: string, to: string): Promise<Disposable> {
  const open = new Set<Socket>();
  const server = createServer((from) => {
    const onward = createConnection(to);
    for (const [one, other] of [
      [from, onward],
      [onward, from],
    ] as const) {
      open.add(one);
      one.on("error", () => other.destroy());
      one.on("close", () => open.delete(one));
      one.pipe(other);
    }
  });
  await new Promise<void>((settle, reject) => {
    server.on("error", reject);
    server.listen(path, settle);
  });
  return {
    [Symbol.dispose]() {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}
