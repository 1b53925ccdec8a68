/** What the init's handlers share while they carry a plan out. */
import type { CgroupDescriptors } from "../cgroup/entrance.ts";
import type { HookOutput } from "../hooks/run.ts";
import type { MemoryRange } from "../sys/environment.ts";
import type { Fd } from "../sys/fd.ts";
import type { Channel, InitMessage, ParentMessage } from "./channel.ts";

export interface InitContext {
  channel: Channel<InitMessage, ParentMessage>;
  /** Descriptor of the container's root directory, once the rootfs is mounted; `/` after the pivot. */
  rootfs: Fd | null;
  /** Mounts that later steps change, by the numbers that the plan gave them. */
  mounts: Map<number, Fd>;
  /** Descriptors that the parent opened before the fork, by the name that the plan gave them. */
  inherited: Map<string, Fd>;
  /** Where the environment of the runtime's caller is in this process's memory, to be forgotten. */
  callersEnvironment: MemoryRange;
  /** The environment that the process will get, `NAME=value`; steps may add to it (`HOME`). */
  environment: string[];
  /** Where the executable was found, set by the step that looks it up. */
  executable: string | null;
  /**
   * `exec.fifo`, open for reading and writing since before the pivot; `null` where nothing is waited for. Why this process
   * fails after `start` is written there too, since the parent is gone by then.
   */
  startFifo: Fd | null;
  /** Whether `start` is left to another command, and may come late or never. */
  waits: boolean;
  /** Brings the signals that end this process while it waits, where others may keep it waiting. */
  endingSignals?: Fd;
  /** The v1 cgroups to enter, where they were there before the fork. */
  cgroups?: CgroupDescriptors;
  /** Where the output of hooks goes, opened before the fork. */
  hookOutput?: HookOutput;
  /** The filter that a step loads; `null` where there is none. */
  seccompFilter: Uint8Array | null;
  /** Whether to report each step to the parent (`--debug`). */
  trace: boolean;
  /** Whether the parent has been told that all is set up, and is gone. */
  ready: boolean;
  /** Whether `start` has been called. */
  started: boolean;
  /** This process's pid as the container sees it. */
  pid: number;
  /** Whether root was not permitted to change to the working directory, so that the user has to try. */
  directoryRefused?: boolean;
}
