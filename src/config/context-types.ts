/** The mount options that give a mount an SELinux label. @see mount(8), "context=" */
export const CONTEXT_TYPES = ["context", "fscontext", "defcontext", "rootcontext"] as const;

export type ContextType = (typeof CONTEXT_TYPES)[number];
