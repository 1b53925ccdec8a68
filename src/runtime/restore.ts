/** `restore`: has CRIU make a container's processes again, out of what `checkpoint` has written. */
import { checkRestorable } from "../criu/namespaces.ts";
import { checkSecurityModule } from "../criu/security-module.ts";
import { exitCode, pidfdOpen, prctl } from "../sys/process.ts";
import { claimContainer } from "./claim.ts";
import { clearContainer } from "./clear.ts";
import { checkTerminal, connectTo } from "./console-socket.ts";
import { lockAgain, unlock } from "./container-lock.ts";
import { findCriu } from "./criu.ts";
import { CriuDirectories } from "./criu-directories.ts";
import { readStreams } from "./descriptors-file.ts";
import { prepareForeground, superviseForeground } from "./foreground.ts";
import { Interruption } from "./interruption.ts";
import type { Context } from "./options.ts";
import { checkPidFile } from "./pid-file.ts";
import { prepare } from "./prepare.ts";
import { type Parts, Restoration, type RestoreContainerOptions } from "./restoration.ts";
import { RestoredNamespaces } from "./restore-namespaces.ts";

/**
 * Restores a container.
 * @returns the exit code of its process, 128 + n when signal n ended it; 0 at once with `detach`
 * @throws {Error} that says what failed; nothing is left behind then
 */
export function restoreContainer(context: Context, options: RestoreContainerOptions): number {
  const criu = findCriu("restore");
  const prepared = prepare(context, { ...options, preserveFds: 0, noPivot: false, noNewKeyring: false });
  const { spec, process } = prepared;
  checkRestorable(spec);
  checkSecurityModule(options);
  const { terminal = false } = process;
  checkTerminal({ terminal, detach: options.detach, consoleSocket: options.consoleSocket });
  if (options.pidFile) checkPidFile(options.pidFile);
  using console = options.consoleSocket ? connectTo("--console-socket", options.consoleSocket) : null;
  using directories = CriuDirectories.toRead(options);
  const streams = readStreams(directories.images, options.imagePath);
  using namespaces = new RestoredNamespaces(prepared.spec);
  if (!options.noSubreaper) prctl("SET_CHILD_SUBREAPER", 1);
  const signals = options.detach ? null : prepareForeground();
  const interruption = signals === null ? Interruption.ofDetached() : Interruption.ofForeground(signals);
  const claim = claimContainer(context.root, prepared.container);
  const { lock } = claim;
  const parts: Parts = {
    context,
    prepared,
    options,
    criu,
    directories,
    streams,
    namespaces,
    console,
    claim,
    interruption,
  };
  const { pid, master } = new Restoration(parts).run();
  if (signals === null) return 0;
  const { log } = context;
  using pidfd = pidfdOpen(pid);
  unlock(lock);
  const status = superviseForeground({ pid, pidfd, signals, master, log });
  // Unless `delete` was quicker.
  if (lockAgain(lock, options.id)) clearContainer(context, prepared.container, spec);
  lock.close();
  return exitCode(status);
}
