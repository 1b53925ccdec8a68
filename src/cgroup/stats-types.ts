/**
 * What a container has used, in the shape that runc's `events` prints: cAdvisor, containerd and others read it.
 * Times are nanoseconds, sizes bytes. Numbers are `bigint`, as the kernel counts them in 64 bits.
 * @see runc, types/events.go
 */

export interface Pressure {
  some: PressureLine;
  full: PressureLine;
}

/** Shares of time in percent, over the last seconds; and microseconds in all. @see linux/Documentation/accounting/psi.rst */
export interface PressureLine {
  avg10: number;
  avg60: number;
  avg300: number;
  total: bigint;
}

export interface MemoryEntry {
  limit: bigint;
  usage: bigint;
  max?: bigint;
  failcnt: bigint;
}

export interface BlockEntry {
  major: number;
  minor: number;
  op: string;
  value: bigint;
}

export interface Stats {
  cpu: {
    usage: {
      total: bigint;
      percpu?: bigint[];
      percpu_kernel?: bigint[];
      percpu_user?: bigint[];
      kernel: bigint;
      user: bigint;
    };
    throttling: { periods?: bigint; throttledPeriods?: bigint; throttledTime?: bigint };
    psi?: Pressure;
  };
  cpuset: Record<string, number | number[]>;
  memory: {
    cache?: bigint;
    usage?: MemoryEntry;
    swap?: MemoryEntry;
    kernel?: MemoryEntry;
    kernelTCP?: MemoryEntry;
    raw?: Record<string, bigint>;
    psi?: Pressure;
  };
  pids: { current?: bigint; limit?: bigint };
  blkio: Record<string, BlockEntry[]>;
  hugetlb: Record<string, { usage: bigint; max?: bigint; failcnt: bigint }>;
  intel_rdt: Record<string, unknown>;
  network_interfaces: null;
}
