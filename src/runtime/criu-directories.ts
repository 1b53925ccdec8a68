/** The directories of a checkpoint: that of its images, and that in which CRIU works and logs. */
import type { CommonOptions, DumpOptions } from "../criu/options.ts";
import { check, hasErrno } from "../sys/error.ts";
import { AT, type Fd, O, open } from "../sys/fd.ts";
import { syscall } from "../sys/ffi.ts";
import { chmod, exists, mkdirAll, readLink, rmdir } from "../sys/file.ts";
import { isAbsolute, join } from "../sys/path-names.ts";
import { fstat, isSameFile } from "../sys/stat.ts";

const MODE = 0o700;

/** Both of them, open. */
export class CriuDirectories implements Disposable {
  /** Those that were made here, the last one first. */
  readonly #made: string[] = [];

  private constructor(
    readonly images: Fd,
    readonly work: Fd | null,
    /** Where the log is. */
    readonly logDirectory: string,
  ) {}

  /**
   * Makes what is missing for a checkpoint, and opens it.
   * @param group that may enter a directory of images that is made: in a user namespace, CRIU reads them as root of that
   * @throws {Error} when `--parent-path` leads to no directory: CRIU would say so with the container already held, or never
   */
  static toWrite({ imagePath, workPath, parentPath }: DumpOptions, group: number | null): CriuDirectories {
    if (parentPath !== undefined && isAbsolute(parentPath)) {
      throw new Error(`--parent-path ${parentPath}: must be relative to the directory of --image-path`);
    }
    const made: string[] = [];
    const make = (path: string) => {
      if (exists(path)) return;
      mkdirAll(path, MODE);
      made.unshift(path);
    };
    try {
      make(imagePath);
      const directories = CriuDirectories.#open("--image-path", imagePath, () => workPath && make(workPath), workPath);
      directories.#made.push(...made);
      if (group !== null && made.includes(imagePath)) letIn(directories.images, group);
      if (parentPath !== undefined) checkParent(directories.images, parentPath);
      return directories;
    } catch (error) {
      for (const path of made) removeEmpty(path);
      throw error;
    }
  }

  /** Opens the images that are there. @throws {Error} where they are not */
  static toRead({ imagePath, workPath }: CommonOptions): CriuDirectories {
    return CriuDirectories.#open("--image-path", imagePath, () => workPath && mkdirAll(workPath, MODE), workPath);
  }

  static #open(name: string, imagePath: string, makeWork: () => unknown, workPath?: string): CriuDirectories {
    const images = openDirectory(name, imagePath);
    try {
      makeWork();
      const work = workPath === undefined ? null : openDirectory("--work-path", workPath);
      return new CriuDirectories(images, work, workPath ?? imagePath);
    } catch (error) {
      images.close();
      throw error;
    }
  }

  /**
   * Opens both once more, in a process that may be in another mount namespace than this one.
   * @throws {Error} where another directory has their name there
   */
  openAgain(): [images: Fd, work: Fd] {
    return [openSame(this.images), openSame(this.work ?? this.images)];
  }

  /** Path of a log. */
  log(name: string): string {
    return join(this.logDirectory, name);
  }

  /** Removes those of the directories that were made for this, and have stayed empty. */
  abandon(): void {
    for (const path of this.#made) removeEmpty(path);
  }

  [Symbol.dispose](): void {
    this.images.close();
    this.work?.close();
  }
}

/** Lets a group enter a directory, and not list it. */
function letIn(directory: Fd, group: number): void {
  const SAME = -1;
  check(syscall("fchownat", directory.number, "", SAME, group, AT.EMPTY_PATH), "chown of --image-path");
  chmod(directory.procPath, 0o710);
}

function openDirectory(option: string, path: string): Fd {
  try {
    return open(path, O.RDONLY | O.DIRECTORY);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) throw new Error(`${option} ${path}: there is no such directory`);
    if (hasErrno(error, "ENOTDIR")) throw new Error(`${option} ${path}: this is not a directory`);
    throw error;
  }
}

function openSame(directory: Fd): Fd {
  const path = readLink(directory.procPath);
  const opened = open(path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  if (isSameFile(fstat(opened.number), fstat(directory.number))) return opened;
  throw new Error(`${path} was replaced by another directory`);
}

/** Resolved from the directory itself, as CRIU does it: a path put together as text could go by another `..`. */
function checkParent(images: Fd, parentPath: string): void {
  try {
    open(parentPath, O.PATH | O.DIRECTORY, 0, images.number).close();
  } catch (error) {
    throw new Error(`invalid --parent-path ${parentPath}: ${(error as Error).message} (relative to --image-path)`);
  }
}

function removeEmpty(path: string): void {
  try {
    rmdir(path);
  } catch {
    // Somebody has put something in it: then it is to stay.
  }
}
