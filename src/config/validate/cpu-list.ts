/** Lists of CPUs and of NUMA nodes, such as `0-3,7`. */
import { parseCpuList } from "../cpu-list.ts";

/** Why a text is no list, or `null` when it is one. */
export function cpuListError(text: string): string | null {
  try {
    parseCpuList(text);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}
