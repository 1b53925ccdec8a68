/** STOPSIGNAL's argument. */
import { constants } from "node:os";

/** A signal's name or number, checked and passed on as it is. @throws {Error} */
export function signalName(text: string): string {
  if (/^\d+$/.test(text)) {
    if (Number(text) >= 1 && Number(text) <= 64) return text;
  } else {
    const name = text.toUpperCase().replace(/^(SIG)?/, "SIG");
    if (Object.hasOwn(constants.signals, name) || /^SIGRT(MIN(\+([1-9]|1[0-5]))?|MAX(-([1-9]|1[0-4]))?)$/.test(name))
      return text;
  }
  throw new Error(
    `invalid signal ${JSON.stringify(text)}: a name such as SIGTERM or SIGRTMIN+3, or a number of 1 to 64 is right`,
  );
}
