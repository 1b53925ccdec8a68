/** Log records as JSON, of the shape that runc's have. Apart from `log.ts`: pino in the first chunk would be loaded by every command. */
import { type Logger, pino } from "pino";

/**
 * Makes a logger.
 * @param write     takes a record, a line
 * @param timestamp the time of a record, as it is written
 */
export function jsonLogger(write: (line: string) => void, timestamp: () => string): Logger {
  return pino(
    {
      level: "debug",
      base: undefined,
      timestamp: () => `,"time":"${timestamp()}"`,
      formatters: { level: (label) => ({ level: label === "warn" ? "warning" : label }) },
    },
    { write },
  );
}
