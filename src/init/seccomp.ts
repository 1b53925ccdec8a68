/** Carries out the step that loads the filter of system calls. */
import type { SeccompStep } from "../plan/seccomp.ts";
import type { Handlers } from "../plan/step.ts";
import { Fd } from "../sys/fd.ts";
import { readMemory } from "../sys/memory-file.ts";
import { exit } from "../sys/process.ts";
import { filterBits, loadFilter } from "../sys/seccomp.ts";
import type { InitContext } from "./context.ts";

export const seccompHandlers: Handlers<SeccompStep, InitContext> = {
  "take-seccomp-filter": (_, context) => {
    if (context.seccompFilter !== null) return;
    context.channel.send({ type: "filter" });
    const received = context.channel.expect("filter");
    if (received === null) return exit(1);
    using file = received.fds[0] as Fd;
    context.seccompFilter = readMemory(file);
  },
  "load-seccomp-filter": ({ flags, listens }, context) => {
    const { seccompFilter, channel } = context;
    if (seccompFilter === null) throw new Error("there is no filter to load");
    channel.forgoDescriptors();
    const listener = loadFilter(seccompFilter, filterBits(flags, listens));
    if (!listens) return;
    // Any call but this one may wait from here on for somebody who has not got the listener yet: so only its number is written, and the
    // parent takes it. A filter that notifies write(2) is refused.
    channel.send({ type: "listener", fd: listener });
    if (channel.expect("heard") === null) exit(1);
    // Else this process would wait for ever for the answer of an agent that has died.
    new Fd(listener).close();
  },
};
