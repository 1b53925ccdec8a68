/** `events`: what a container uses, now and then, and each time when the kernel kills in it for want of memory. */

import { openCgroup } from "../cgroup/manager.ts";
import type { Stats } from "../cgroup/stats-types.ts";
import { monotonicTime } from "../sys/clock.ts";
import { hasErrno } from "../sys/error.ts";
import { POLL, poll } from "../sys/poll.ts";
import { pidfdFind } from "../sys/process.ts";
import { intelRdtStats } from "./intel-rdt.ts";
import type { Context } from "./options.ts";
import { containerStatus } from "./status.ts";
import { loadContainer, loadSavedConfig } from "./store.ts";

/** As runc prints it. @see runc, types/events.go */
export type Event = { type: "stats"; id: string; data: Stats } | { type: "oom"; id: string };

export interface EventsOptions {
  id: string;
  /** Once, and no events. */
  statsOnly: boolean;
  /** Milliseconds between two `stats`. */
  interval: number;
}

/**
 * Reports until the container's init ends.
 * @param report gets each event; what it throws ends the reporting
 * @throws {NoSuchContainerError}
 * @throws {Error} when the container does not run
 */
export function watchContainer(context: Context, options: EventsOptions, report: (event: Event) => void): void {
  const { id, statsOnly, interval } = options;
  const container = loadContainer(context.root, id);
  const status = containerStatus(context.root, container);
  if (status === "stopped" || container.init === null) throw new Error(`container with id ${id} is not running`);
  const cgroup = openCgroup(container.cgroup);
  const spec = loadSavedConfig(context.root, id);
  const reportStats = () => {
    report({ type: "stats", id, data: { ...cgroup.stats(), intel_rdt: intelRdtStats(spec.linux?.intelRdt, id) } });
  };
  if (statsOnly) return reportStats();
  using init = pidfdFind(container.init.pid);
  // (Another process has had its pid since.)
  if (init === null || containerStatus(context.root, container) === "stopped") return;
  using oom = cgroup.watchOom();
  let kills = cgroup.oomKills();
  let next = monotonicTime() + interval;
  for (;;) {
    const watched = [
      { fd: init.number, events: POLL.IN },
      ...(oom === null ? [] : [{ fd: oom.fd, events: oom.events }]),
    ];
    const [ended = 0, told = 0] = poll(watched, Math.max(0, next - monotonicTime()));
    if (told !== 0) oom?.acknowledge();
    const now = cgroup.oomKills();
    for (; kills < now; kills++) report({ type: "oom", id });
    if (ended !== 0) return;
    if (monotonicTime() < next) continue;
    next += interval;
    try {
      reportStats();
    } catch (error) {
      // It is being deleted.
      if (!hasErrno(error, "ENOENT", "ENODEV")) throw error;
    }
  }
}
