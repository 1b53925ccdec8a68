/** How many seconds a test waits for what is to happen; few where nothing will. */
export const patience = Number(process.env.TSRUNC_TEST_PATIENCE ?? 10);

/** How many times as long as usual all may take: a processor that is emulated needs it. */
export const slowness = Math.max(1, patience / 10);
