/**
 * Mounting stacks of layers by overlayfs, however many they are.
 *
 * Kernels from 6.8 on take the layers one by one, by `lowerdir+`. Older ones take one page of options: there each layer is named by its
 * descriptor, in a dozen bytes, so that two hundred fit.
 *
 * @see linux/Documentation/filesystems/overlayfs.rst
 */
import { type Fd, O, open } from "../../sys/fd.ts";
import { fsconfigCreate, fsconfigSet, fscontextMessages, fsmount, fsopen } from "../../sys/filesystem-context.ts";
import { mount, moveMount } from "../../sys/mount.ts";
import { isOpaque, type OverlayNamespace, withoutHidden } from "../layer/lower-layers.ts";

export interface OverlayMount {
  /** Directories of the layers, the uppermost first. */
  lower: readonly string[];
  /** Where changes go, and what overlayfs needs beside it; `null` for a mount that is read only. */
  upper: { upper: string; work: string } | null;
  namespace: OverlayNamespace;
  /**
   * Whether what is written is thrown away: then it need not reach the disk, which an unmount would otherwise wait for.
   * @see overlayfs.rst, "Volatile mount", Linux 5.10
   */
  isVolatile?: boolean;
}

/** Layers of one mount. @see linux/fs/overlayfs/params.h, OVL_MAX_STACK */
const MOST_LAYERS = 500;

/** Bytes of a value that fsconfig(2) takes. */
const LONGEST_VALUE = 255;
/** What overlayfs takes for separators, and for what keeps them from being that, in some values and in some kernels. */
const SEPARATORS = /[\\:,]/;

/** Mounts on a directory. @throws {Error} with what the kernel says */
export function mountOverlay(wanted: OverlayMount, target: string): void {
  const lower = withoutHidden(wanted.lower, (path) => hasOpaqueRoot(path, wanted.namespace));
  const overlay = { ...wanted, lower };
  if (lower.length > MOST_LAYERS) {
    throw new Error(`the image has ${lower.length} layers, and overlayfs takes ${MOST_LAYERS} at most: use --copy`);
  }
  const opened: Fd[] = [];
  try {
    const short = (path: string) => {
      const fd = open(path, O.PATH | O.DIRECTORY);
      opened.push(fd);
      return fd.procPath;
    };
    const mounted = mountByParts(overlay, short);
    if (mounted === null) return mountByOptions(overlay, target, short);
    using made = mounted;
    moveMount(made, target);
  } finally {
    for (const fd of opened) fd.close();
  }
}

function hasOpaqueRoot(path: string, namespace: OverlayNamespace): boolean {
  using root = open(path, O.PATH | O.DIRECTORY);
  return isOpaque(root.number, namespace);
}

/** @returns `null` where the kernel does not take layers one by one @throws {Error} when it cannot mount what it took */
function mountByParts(
  { lower, upper, namespace, isVolatile }: OverlayMount,
  short: (path: string) => string,
): Fd | null {
  if (takesAnyKey()) return null;
  using context = fsopen("overlay");
  if (context === null) return null;
  const set = (key: string, path: string) =>
    fsconfigSet(context, key, path.length > LONGEST_VALUE || SEPARATORS.test(path) ? short(path) : path);
  if (!fsconfigSet(context, "source", "overlay")) return null;
  for (const path of lower) if (!set("lowerdir+", path)) return null;
  if (upper !== null && !(set("upperdir", upper.upper) && set("workdir", upper.work))) return null;
  // A file's data, and a directory's entries, are where its name is: else the upper directory would be no layer by itself. With userxattr both
  // are so, and the kernel takes it for a contradiction to be told.
  if (namespace === "user") {
    if (!fsconfigSet(context, "userxattr", null)) return null;
  } else for (const feature of ["redirect_dir", "metacopy", "index"]) fsconfigSet(context, feature, "off");
  if (isVolatile) fsconfigSet(context, "volatile", null);
  if (!fsconfigCreate(context)) {
    throw new Error(
      `cannot mount the layers: ${fscontextMessages(context).join("; ") || "overlayfs refuses"} (--copy does without)`,
    );
  }
  return fsmount(context, upper === null ? ["ro"] : []);
}

/**
 * Whether this kernel puts together whatever keys it is given, to find out what they mean when the filesystem is made. Then that it took
 * `lowerdir+` says nothing.
 * @see linux/fs/fs_context.c, legacy_parse_param; overlayfs has left that with Linux 6.5
 */
function takesAnyKey(): boolean {
  using context = fsopen("overlay");
  return context !== null && fsconfigSet(context, "no-such-key", null);
}

function mountByOptions(
  { lower, upper, namespace }: OverlayMount,
  target: string,
  short: (path: string) => string,
): void {
  const options = [`lowerdir=${lower.map(short).join(":")}`];
  if (upper !== null) options.push(`upperdir=${short(upper.upper)}`, `workdir=${short(upper.work)}`);
  if (namespace === "user") options.push("userxattr");
  else options.push("redirect_dir=off", "metacopy=off", "index=off");
  const text = options.join(",");
  const PAGE = 4096;
  if (text.length >= PAGE)
    throw new Error(`${lower.length} layers are too many for the mount options of this kernel: use --copy`);
  mount("overlay", target, "overlay", upper === null ? ["ro"] : [], text);
}
