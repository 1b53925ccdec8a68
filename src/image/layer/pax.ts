/**
 * PAX records: what has no room in a header, `<length> <keyword>=<value>\n` each.
 * @see POSIX.1-2017 pax, "pax Header Block"
 */
import { type ByteName, nameOfBytes } from "../../sys/byte-name.ts";
import { LayerError } from "./layer-error.ts";

/** A record; both parts are bytes. */
export interface PaxRecord {
  keyword: ByteName;
  /** Empty where the record takes back what the header says. */
  value: ByteName;
}

/** All records, in order. @throws {LayerError} for what is no record */
export function parsePaxRecords(memory: Uint8Array): PaxRecord[] {
  const text = nameOfBytes(memory);
  const records: PaxRecord[] = [];
  for (let at = 0; at < text.length; ) {
    // What is left may be padding.
    if (text.charCodeAt(at) === 0) break;
    const space = text.indexOf(" ", at);
    const digits = text.slice(at, space);
    const length = Number(digits);
    const end = at + length;
    const equals = text.indexOf("=", space);
    const isRecord =
      space > at &&
      /^\d{1,10}$/.test(digits) &&
      end <= text.length &&
      equals > space + 1 &&
      equals < end &&
      text[end - 1] === "\n";
    if (!isRecord) throw new LayerError(`a PAX header has no record at its byte ${at}`);
    records.push({
      keyword: text.slice(space + 1, equals) as ByteName,
      value: text.slice(equals + 1, end - 1) as ByteName,
    });
    at = end;
  }
  return records;
}

/** A whole number, not negative. @throws {LayerError} for anything else */
export function paxNumber({ keyword, value }: PaxRecord): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(number)) {
    throw new LayerError(`PAX ${keyword} ${JSON.stringify(value)} is not a number of 0 to 2^53 - 1`);
  }
  return number;
}

/**
 * A time: seconds since 1970, maybe negative, maybe with a fraction.
 * @returns nanoseconds; what is finer is dropped towards the past, as a filesystem would
 * @throws {LayerError} for anything else
 */
export function paxTime({ keyword, value }: PaxRecord): bigint {
  const parts = /^(-?)(\d{1,18})(?:\.(\d*))?$/.exec(value);
  if (parts === null) throw new LayerError(`PAX ${keyword} ${JSON.stringify(value)} is not a time`);
  const [, sign, seconds = "", fraction = ""] = parts;
  const nanoseconds = BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  if (sign === "") return nanoseconds;
  return -nanoseconds - (/[1-9]/.test(fraction.slice(9)) ? 1n : 0n);
}
