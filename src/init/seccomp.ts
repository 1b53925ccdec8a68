/** Carries out the step that loads the filter of system calls. */
import type { SeccompStep } from "../plan/seccomp.ts";
import type { Handlers } from "../plan/step.ts";
import { Fd } from "../sys/fd.ts";
import { writeSome } from "../sys/io.ts";
import { exit } from "../sys/process.ts";
import { FILTER_FLAGS, loadFilter } from "../sys/seccomp.ts";
import { encodeMessage, type InitMessage } from "./channel.ts";
import type { InitContext } from "./context.ts";

export const seccompHandlers: Handlers<SeccompStep, InitContext> = {
  "load-seccomp-filter": ({ flags, listens }, context) => {
    const { seccompFilter, channel } = context;
    if (seccompFilter === null) throw new Error("there is no filter to load");
    const bits = flags.reduce((sum, flag) => sum | FILTER_FLAGS[flag], listens ? FILTER_FLAGS.NEW_LISTENER : 0);
    const listener = loadFilter(seccompFilter, bits);
    if (!listens) return;
    // Any call but this one may wait from here on for somebody who has not got the listener yet: so only its number is written, and the
    // parent takes it. A filter that notifies write(2) is refused.
    writeSome(channel.fd.number, encodeMessage({ type: "listener", fd: listener } satisfies InitMessage));
    if (channel.expect("heard") === null) exit(1);
    // Else this process would wait for ever for the answer of an agent that has died.
    new Fd(listener).close();
  },
};
