/** Log records for the machine's own log: `--log journald:IDENTIFIER` and `--log syslog:IDENTIFIER`, as crun has them. */
import { exists } from "../sys/file.ts";
import { sendDatagram } from "../sys/socket.ts";
import type { Level } from "./log.ts";

/** Severities of syslog(3). */
const SEVERITY: Readonly<Record<Level, number>> = { error: 3, warning: 4, info: 6, debug: 7 };
/** `LOG_USER` */
const FACILITY = 1;

/** The daemons, with the socket that each listens on and the form of its messages. */
const DAEMONS = {
  journald: {
    socket: "/run/systemd/journal/socket",
    /** @see https://systemd.io/JOURNAL_NATIVE_PROTOCOL */
    format: (level: Level, identifier: string, message: string) =>
      `PRIORITY=${SEVERITY[level]}\nSYSLOG_IDENTIFIER=${identifier}\nMESSAGE=${message}\n`,
  },
  syslog: {
    socket: "/dev/log",
    /** @see RFC 3164, section 4.1; the daemon adds the time */
    format: (level: Level, identifier: string, message: string) =>
      `<${FACILITY * 8 + SEVERITY[level]}>${identifier}: ${message}`,
  },
} as const;

/** A log that a daemon keeps. */
export interface DaemonLog {
  /** Sends one record, in one line. @throws {SyscallError} when nobody takes it */
  write(level: Level, message: string): void;
}

/**
 * The log that the value of `--log` names.
 * @param socket where the daemon listens, for tests
 * @throws {Error} when this machine has no such daemon
 */
export function daemonLog(daemon: keyof typeof DAEMONS, identifier: string, socket?: string): DaemonLog {
  const { socket: usual, format } = DAEMONS[daemon];
  const path = socket ?? usual;
  if (!exists(path)) throw new Error(`--log ${daemon}:${identifier}: there is no ${daemon} here (no ${path})`);
  return {
    write: (level, message) => sendDatagram(path, format(level, identifier, message.trim().replace(/\s*\n\s*/g, "; "))),
  };
}
