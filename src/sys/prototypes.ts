/**
 * What tsrunc calls of libc and of the kernel, as their manual pages declare it; koffi and the compiler read the same text.
 *
 * The types are koffi's. `str` is a text, or its bytes with a NUL at their end; `char *` is a text or NULL; any other pointer is memory,
 * an address or NULL. Integers that the kernel keeps in structs of its own (`mode_t`, `uid_t`) are what they are on x86_64 and aarch64.
 */

/**
 * Functions that glibc has since 2.31 (Debian 11): older ones come with kernels on which tsrunc does not run anyway. What came
 * later, such as the functions for the mount API (2.36), is called by its number: Ubuntu 22.04 and RHEL 9 would not have it.
 */
export const LIBC = [
  "int accept4(int socket, void *address, void *length, int flags)",
  "int bind(int socket, void *address, uint length)",
  "int capget(void *header, void *data)",
  "int capset(void *header, void *data)",
  "int chdir(str path)",
  "int chroot(str path)",
  "int clock_gettime(int clock, void *time)",
  "int connect(int socket, void *address, uint length)",
  "int close(int fd)",
  "long copy_file_range(int from, void *from_offset, int to, void *to_offset, size_t size, uint flags)",
  "void *dlsym(void *library, str name)",
  "int dup3(int fd, int number, int flags)",
  "int eventfd(uint value, int flags)",
  "int execve(str path, void *args, void *environment)",
  "void _exit(int code)",
  "int fchdir(int directory)",
  "int fchmod(int fd, uint mode)",
  "int fchmodat(int directory, str path, uint mode, int flags)",
  "int fchown(int fd, uint uid, uint gid)",
  "int fchownat(int directory, str path, uint uid, uint gid, int flags)",
  "int fcntl(int fd, int command, long value)",
  "int flock(int fd, int operation)",
  "int fsetxattr(int fd, str name, void *value, size_t size, int flags)",
  "int fstatfs(int fd, void *statfs)",
  "int ftruncate(int fd, long length)",
  "long getdents64(int directory, void *entries, size_t size)",
  "int getpid()",
  "long getrandom(void *memory, size_t size, uint flags)",
  "int ioctl(int fd, ulong request, void *argument)",
  "int kill(int pid, int signal)",
  "long getxattr(str path, str name, void *value, size_t size)",
  "long lgetxattr(str path, str name, void *value, size_t size)",
  "int linkat(int from_directory, str from, int to_directory, str to, int flags)",
  "int listen(int socket, int backlog)",
  "int getsockopt(int socket, int level, int name, void *value, void *length)",
  "int setsockopt(int socket, int level, int name, void *value, uint length)",
  "long listxattr(str path, void *list, size_t size)",
  "long llistxattr(str path, void *list, size_t size)",
  "long lseek(int fd, long offset, int from)",
  "int lsetxattr(str path, str name, void *value, size_t size, int flags)",
  "void *memcpy(void *to, void *from, size_t size)",
  "int memfd_create(str name, uint flags)",
  "int mkdirat(int directory, str path, uint mode)",
  "int mount(char *source, str target, char *type, ulong flags, char *data)",
  "int openat(int directory, str path, int flags, uint mode)",
  "int personality(ulong persona)",
  "int pipe2(void *ends, int flags)",
  "int posix_spawn(void *pid, str path, void *actions, void *attributes, void *args, void *environment)",
  "int posix_spawn_file_actions_addchdir_np(void *actions, str directory)",
  "int posix_spawn_file_actions_adddup2(void *actions, int fd, int number)",
  "int posix_spawn_file_actions_destroy(void *actions)",
  "int posix_spawn_file_actions_init(void *actions)",
  "int posix_spawnattr_destroy(void *attributes)",
  "int posix_spawnattr_init(void *attributes)",
  "int posix_spawnattr_setflags(void *attributes, short flags)",
  "int posix_spawnattr_setsigdefault(void *attributes, void *signals)",
  "int posix_spawnattr_setsigmask(void *attributes, void *signals)",
  "int ppoll(void *fds, ulong count, void *timeout, void *signals)",
  "int prctl(int operation, ulong a, ulong b, ulong c, ulong d)",
  "int prlimit(int pid, int resource, void *limit, void *before)",
  "long ptrace(int request, int pid, void *address, void *data)",
  "long read(int fd, void *memory, size_t size)",
  "long readlinkat(int directory, str path, void *memory, size_t size)",
  "long recvfrom(int socket, void *memory, size_t size, int flags, void *address, void *length)",
  "long recvmsg(int socket, void *message, int flags)",
  "int renameat2(int from_directory, str from, int to_directory, str to, uint flags)",
  "int sched_setaffinity(int pid, size_t size, void *mask)",
  "long sendfile(int to, int from, void *offset, size_t count)",
  "long sendmsg(int socket, void *message, int flags)",
  "long sendto(int socket, void *memory, size_t size, int flags, void *address, uint length)",
  "int setdomainname(str name, size_t length)",
  "int setgroups(size_t count, void *gids)",
  "int sethostname(str name, size_t length)",
  "int setns(int fd, int type)",
  "int setpgid(int pid, int group)",
  "int setresgid(uint real, uint effective, uint saved)",
  "int setresuid(uint real, uint effective, uint saved)",
  "int setsid()",
  "int signalfd(int fd, void *signals, int flags)",
  "int socket(int domain, int type, int protocol)",
  "int socketpair(int domain, int type, int protocol, void *ends)",
  "int statx(int directory, str path, int flags, uint mask, void *statx)",
  "str strerror(int errno)",
  "size_t strlen(void *text)",
  "long syscall(long number, long a, long b, void *c)",
  "int symlinkat(str target, int directory, str path)",
  "int syncfs(int fd)",
  "uint umask(uint mask)",
  "int umount2(str target, int flags)",
  "int unlinkat(int directory, str path, int flags)",
  "int unshare(int flags)",
  "int utimensat(int directory, str path, void *times, int flags)",
  "int wait4(int pid, void *status, int options, void *usage)",
  "long write(int fd, void *memory, size_t size)",
] as const;

/** System calls that such a glibc has no function for, or one that does something else; made by syscall(2). */
export const KERNEL = [
  "long bpf(int command, void *attributes, uint size)",
  "long clone3(void *args, size_t size)",
  "long close_range(uint first, uint last, uint flags)",
  "long execveat(int directory, str path, void *args, void *environment, int flags)",
  "long faccessat2(int directory, str path, int mode, int flags)",
  "long fsconfig(int fd, uint command, char *key, char *value, int auxiliary)",
  "long fsmount(int fd, uint flags, uint attributes)",
  "long fsopen(str type, uint flags)",
  // libc's says ENOENT where the kernel's answer begins with "(unreachable)".
  "long getcwd(void *memory, size_t size)",
  "long ioprio_set(int which, int who, int priority)",
  "long keyctl(int operation, void *a, void *b, void *c, void *d)",
  "long mknodat(int directory, str path, uint mode, uint device)",
  "long mount_setattr(int directory, str path, uint flags, void *attributes, size_t size)",
  "long move_mount(int from_directory, str from, int to_directory, str to, uint flags)",
  "long open_tree(int directory, str path, uint flags)",
  "long openat2(int directory, str path, void *how, size_t size)",
  "long pidfd_getfd(int pidfd, int number, uint flags)",
  "long pidfd_open(int pid, uint flags)",
  "long pidfd_send_signal(int pidfd, int signal, void *info, uint flags)",
  "long pivot_root(str root, str old)",
  // libc's refuse signals 32 and 33, which a caller may have had ignored all the same.
  "long rt_sigaction(int signal, void *action, void *before, size_t size)",
  "long rt_sigprocmask(int how, void *signals, void *before, size_t size)",
  "long sched_setattr(int pid, void *attributes, uint flags)",
  "long seccomp(uint operation, uint flags, void *args)",
  "long set_mempolicy(int mode, void *nodes, ulong most)",
] as const;

/** Memory to read or write, an address, or NULL. */
export type Pointer = NodeJS.ArrayBufferView | bigint | number | null;

type Prototype = (typeof LIBC)[number] | (typeof KERNEL)[number];

type NameIn<Text> = Text extends `void *${infer Name}(${string}`
  ? Name
  : Text extends `${string} ${infer Name}(${string}`
    ? Name
    : never;
/** A function of libc, or a system call. */
export type CallName = NameIn<Prototype>;

/** One of {@link KERNEL}. */
export type KernelName = NameIn<(typeof KERNEL)[number]>;

type Named<Name extends CallName> = Prototype extends infer Text
  ? Text extends `${string}${" " | " *"}${Name}(${string}`
    ? Text
    : never
  : never;

type ValueOf<Parameter> = Parameter extends `str ${string}`
  ? string | Uint8Array
  : Parameter extends `char *${string}`
    ? string | null
    : Parameter extends `${string} *${string}`
      ? Pointer
      : number | bigint;

type ValuesOf<List> = List extends ""
  ? []
  : List extends `${infer First}, ${infer Rest}`
    ? [ValueOf<First>, ...ValuesOf<Rest>]
    : [ValueOf<List>];

/** What a call takes, by its prototype. */
export type Arguments<Name extends CallName> = Named<Name> extends `${string}(${infer List})` ? ValuesOf<List> : never;

/** What it returns: an integer, where that is no text and no address. */
export type Result<Name extends CallName> =
  Named<Name> extends `void *${string}` ? bigint | null : Named<Name> extends `str ${string}` ? string : number;

/** Where its name is in a prototype: from, and to before. */
export function nameIn(prototype: string): string {
  const end = prototype.indexOf("(");
  const before = prototype.slice(0, end);
  return before.slice(Math.max(before.lastIndexOf(" "), before.lastIndexOf("*")) + 1);
}
