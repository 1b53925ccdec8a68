/** Amounts as people read them. */

const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** Bytes, by powers of 1000, as Docker shows them: `12.1 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.95 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return unit === 0 ? `${Math.round(value)} B` : `${value.toFixed(value < 10 ? 2 : 1)} ${UNITS[unit]}`;
}

/** Seconds: `7s`, `2m 5s`, `1h 12m`. */
export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
}

const AGES: readonly [seconds: number, name: string][] = [
  [31_557_600, "year"],
  [2_629_800, "month"],
  [604_800, "week"],
  [86_400, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
];

/** How long ago a moment was: `3 weeks ago`. @param created RFC 3339; what is none, or missing, is `-`, and so is the year 1, Go's "never" */
export function formatAge(created: string | null | undefined, now: number = Date.now()): string {
  const at = Date.parse(created ?? "");
  if (Number.isNaN(at) || at < 0) return "-";
  const seconds = Math.max(0, (now - at) / 1000);
  const [unit, name] = AGES.find(([length]) => seconds >= length) ?? [1, "second"];
  const count = Math.floor(seconds / unit);
  return `${count} ${name}${count === 1 ? "" : "s"} ago`;
}
