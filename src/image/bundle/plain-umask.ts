/** What a container gets has the permissions that are meant for it, whatever the caller keeps from others of files of its own. */

const UMASK = 0o022;

/** Until the end of the block. */
export function plainUmask(): Disposable {
  const before = process.umask(UMASK);
  return { [Symbol.dispose]: () => void process.umask(before) };
}
