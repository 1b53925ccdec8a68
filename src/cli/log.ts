/** Log records: in the form in which runc writes them, since engines read the reason of a failure from them. */

import type { Logger as PinoLogger } from "pino";
import type { Logger } from "../runtime/options.ts";
import { errnoText, SyscallError } from "../sys/error.ts";
import { O, open } from "../sys/fd.ts";
import { printable } from "../sys/printable.ts";
import { shorten } from "../sys/shorten.ts";
import { writeAll } from "../sys/standard-streams.ts";
import { fstat, isSameFile } from "../sys/stat.ts";
import { isTerminal } from "../sys/tty.ts";
import { PROGRAM } from "./command.ts";
import type { DaemonLog } from "./daemon-log.ts";

/** From the worst to the least. */
const LEVELS = ["error", "warning", "info", "debug"] as const;

export type Level = (typeof LEVELS)[number];

export interface LogOptions {
  /** Where records go: `[file:]PATH`, `journald:IDENTIFIER`, `syslog:IDENTIFIER`; stderr when not given. `/proc/self/fd/N` means the descriptor itself, whatever it is open on. */
  file?: string;
  format: "text" | "json";
  /** Whether that was asked for: then a terminal gets it, too. */
  isFormatGiven: boolean;
  /** The least level that is written. */
  level: Level;
}

const STDERR = 2;

/** The longest message, in characters; the rest is left out of its middle. */
const LONGEST = 4096;

export class Log implements Logger {
  #fd = STDERR;
  #format: LogOptions["format"] = "text";
  #level: Level = "info";
  #pino: PinoLogger | undefined;
  #daemon: DaemonLog | undefined;
  #held: string[] | null = null;
  #isFormatGiven = false;
  /** Whether a record could not be written, which is said once. */
  #lost = false;
  /** What a person is told has failed, or warns. */
  #who = PROGRAM;

  /**
   * Sends the records that follow to where the command line says.
   * @throws {Error} naming the file and the reason, when it cannot be opened
   */
  configure({ file, format, isFormatGiven, level }: LogOptions): void {
    this.#level = level;
    this.#format = format;
    this.#isFormatGiven = isFormatGiven;
    if (file === undefined || file === "") return;
    const [, daemon, identifier = ""] = /^(journald|syslog):(.*)$/.exec(file) ?? [];
    if (daemon === "journald" || daemon === "syslog") this.#daemon = openDaemonLog(daemon, identifier);
    else this.#fd = openLog(file);
  }

  get tracing(): boolean {
    return this.#level === "debug";
  }

  debug(message: string): void {
    this.#record("debug", message);
  }

  info(message: string): void {
    this.#record("info", message);
  }

  warn(message: string): void {
    if (this.#held !== null && this.#isRead()) this.#held.push(message);
    else this.#record("warning", message);
  }

  /**
   * Says which command the records that follow are of.
   * @param holds whether warnings are held back until {@link release}, and dropped when an error comes before: Podman takes
   *              a log that is not one record alone for none, and the words of a warning among what stderr says for the
   *              reason of the failure
   */
  begin(command: string, holds: boolean): void {
    this.#who = `${PROGRAM} ${command}`;
    if (holds) this.#held = [];
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const message of held) this.#record("warning", message);
  }

  /** Whether a program may look for the reason of a failure here, rather than a person. */
  #isRead(): boolean {
    return !this.tracing && this.#daemon === undefined && !this.#isForPerson(this.#fd);
  }

  /**
   * Reports why a command failed: as the last record of the log, and in one line on stderr where the log is elsewhere.
   * @param prefix what records begin with, such as `tsrunc run failed`
   */
  reportError(error: unknown, prefix: string | null = null): void {
    this.#held = null;
    if (error instanceof Error && error.stack !== undefined) this.debug(error.stack);
    const reason = shorten(describe(error), LONGEST);
    const record = shorten(prefix === null ? reason : `${prefix}: ${reason}`, LONGEST);
    if (this.#isForPerson(this.#fd)) return this.#tell(this.#fd, "error", reason);
    this.#record("error", record);
    if (this.#daemon === undefined && isStderr(this.#fd)) return;
    if (isTerminal(STDERR)) this.#tell(STDERR, "error", reason);
    else this.#write(STDERR, `${record}\n`);
  }

  /** Whether what is written there is read at once by a person, who needs neither the time nor quotes. */
  #isForPerson(fd: number): boolean {
    return this.#daemon === undefined && !this.#isFormatGiven && isTerminal(fd);
  }

  #tell(fd: number, level: Level, message: string): void {
    const who = paint(`${this.#who}:`, level);
    this.#write(
      fd,
      `${who} ${level === "error" ? "" : `${level}: `}${message.split("\n").map(printable).join("\n")}\n`,
    );
  }

  #record(level: Level, text: string): void {
    if (LEVELS.indexOf(level) > LEVELS.indexOf(this.#level)) return;
    // What is wrong may be a value of any length. Whoever looks for a fault may want it all.
    const message = level === "debug" ? text : shorten(text, LONGEST);
    if (this.#daemon !== undefined) this.#orSay(() => this.#daemon?.write(level, message));
    else if (this.#isForPerson(this.#fd)) this.#tell(this.#fd, level, message);
    else if (this.#format === "json") this.#recordJson(level, message);
    else this.#write(this.#fd, `time="${timestamp()}" level=${level} msg=${quote(message)}\n`);
  }

  #write(fd: number, line: string): void {
    this.#orSay(() => writeAll(fd, line));
  }

  /** A log that cannot be written must not hide what was to be logged, nor stop a container; but somebody should know. */
  #orSay(write: () => void): void {
    try {
      write();
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
      if (this.#lost) return;
      this.#lost = true;
      this.#write(STDERR, `${PROGRAM}: cannot write to the log: ${error.code}: ${errnoText(error.errno)}\n`);
    }
  }

  #recordJson(level: Level, message: string): void {
    this.#pino ??= makePino((line) => this.#write(this.#fd, line));
    if (level === "warning") this.#pino.warn(message);
    else this.#pino[level](message);
  }
}

/** Colours as compilers have them, unless the user wants none (https://no-color.org). */
function paint(text: string, level: Level): string {
  const colour = { error: 31, warning: 33, info: 36, debug: 2 }[level];
  const isPlain = process.env["NO_COLOR"] || process.env["TERM"] === "dumb";
  return isPlain ? text : `\x1b[${colour}m${text}\x1b[0m`;
}

/** Loaded with the first record: in a plain engine pino takes several milliseconds. A logger's methods are synchronous, so by `require`. */
function makePino(write: (line: string) => void): PinoLogger {
  const { jsonLogger } = require("./json-logger.ts") as typeof import("./json-logger.ts");
  return jsonLogger(write, timestamp);
}

/**
 * What an error says, in one line: Podman keeps a single line of it.
 * An error of the program itself, rather than of what it was asked to do, says so.
 */
function describe(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const ours = error instanceof TypeError || error instanceof ReferenceError || error instanceof RangeError;
  const line = message.trim().replace(/\s*\n\s*/g, "; ");
  return ours && !("code" in error) ? `internal error: ${line} (--debug shows where)` : line;
}

/** Loaded when it is named, as pino is. */
function openDaemonLog(daemon: "journald" | "syslog", identifier: string): DaemonLog {
  const { daemonLog } = require("./daemon-log.ts") as typeof import("./daemon-log.ts");
  return daemonLog(daemon, identifier);
}

function openLog(file: string): number {
  const path = file.replace(/^file:/, "");
  try {
    const inherited = inheritedDescriptor(path);
    if (inherited !== null) {
      fstat(inherited);
      return inherited;
    }
    return open(path, O.WRONLY | O.CREAT | O.APPEND | O.SYNC, 0o644).release();
  } catch (error) {
    const { errno, code, message } = error as SyscallError;
    throw new Error(`open the log ${path}: ${errno === undefined ? message : `${code}: ${errnoText(errno)}`}`);
  }
}

/** A socket cannot be opened through `/proc/self/fd`, and opening a file anew would lose its offset. */
function inheritedDescriptor(path: string): number | null {
  if (path === "/dev/stdout") return 1;
  if (path === "/dev/stderr") return STDERR;
  const [, number] = /^(?:\/proc\/self\/fd|\/dev\/fd)\/(\d+)$/.exec(path) ?? [];
  return number === undefined ? null : Number(number);
}

/** Whether a descriptor leads where stderr does, so that a line written there need not be said again. */
function isStderr(fd: number): boolean {
  if (fd === STDERR) return true;
  try {
    const [log, stderr] = [fstat(fd), fstat(STDERR)];
    return isSameFile(log, stderr);
  } catch {
    return false;
  }
}

/** RFC 3339, in seconds, as logrus writes it. */
function timestamp(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

/** logrus quotes what is more than one plain word. */
function quote(message: string): string {
  return /^[\w.\-/@^+]+$/.test(message) ? message : JSON.stringify(message);
}
