/**
 * The one door to the kernel. `linux/` holds everything that needs Linux: the C library through koffi (this
 * file), network namespaces (`netns.ts`), netlink (`netlink/` the protocol, `rtnetlink/` its routing subjects),
 * sysctls, the `nft` and `iptables` programs, process identities and namespace holders, feature probes, and
 * probe sockets. No other room loads native code or reads /proc.
 */
import koffi from "koffi";
import { systemError } from "./errno.ts";

const library = koffi.load("libc.so.6");

/** Flags of setns(2) and unshare(2), <linux/sched.h>. */
export const cloneFlag = {
  newMount: 0x00020000,
  newUts: 0x04000000,
  newIpc: 0x08000000,
  newPid: 0x20000000,
  newNet: 0x40000000,
} as const;

/** <bits/socket.h>, <bits/in.h>, <asm-generic/socket.h> and <linux/netlink.h>, x86-64 and arm64. */
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_NETLINK = 16;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_RCVTIMEO = 20;
export const SO_RCVBUFFORCE = 33;
export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;
export const POLLIN = 0x001;
export const POLLOUT = 0x004;
export const POLLERR = 0x008;
export const POLLHUP = 0x010;
/** <sys/mount.h> */
export const MS_BIND = 4096;
export const MS_REC = 16384;
export const MS_PRIVATE = 1 << 18;
export const MS_SHARED = 1 << 20;
export const MNT_DETACH = 2;
/** <fcntl.h> */
export const O_RDONLY = 0;
export const O_CLOEXEC = 0o2000000;

const send = library.func("intptr_t send(int fd, const uint8_t *data, size_t length, int flags)");

/** The raw functions: they return what C returns, and `lastErrno` tells why it was -1. */
export const raw = {
  open: library.func("int open(const char *path, int flags)"),
  close: library.func("int close(int fd)"),
  setns: library.func("int setns(int fd, int kind)"),
  unshare: library.func("int unshare(int flags)"),
  sethostname: library.func("int sethostname(const char *name, size_t length)"),
  mount: library.func(
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)",
  ),
  umount2: library.func("int umount2(const char *target, int flags)"),
  ioctl: library.func("int ioctl(int fd, unsigned long request, uintptr_t argument)"),
  kill: library.func("int kill(int pid, int signal)"),
  socket: library.func("int socket(int domain, int type, int protocol)"),
  bind: library.func("int bind(int fd, const uint8_t *address, uint32_t length)"),
  connect: library.func("int connect(int fd, const uint8_t *address, uint32_t length)"),
  listen: library.func("int listen(int fd, int backlog)"),
  /** Without the peer's address. */
  accept: library.func("int accept(int fd, void *address, void *length)"),
  send,
  /** `send` on a thread of koffi's pool; the last argument gets (error, result), and errno is lost. */
  sendAsync: send.async,
  sendto: library.func(
    "intptr_t sendto(int fd, const uint8_t *data, size_t length, int flags, const uint8_t *address, uint32_t addressLength)",
  ),
  recv: library.func("intptr_t recv(int fd, _Out_ uint8_t *data, size_t length, int flags)"),
  recvfrom: library.func(
    "intptr_t recvfrom(int fd, _Out_ uint8_t *data, size_t length, int flags, _Out_ uint8_t *address, _Inout_ uint32_t *addressLength)",
  ),
  poll: library.func("int poll(_Inout_ uint8_t *fds, unsigned long count, int timeoutMs)"),
  setsockopt: library.func(
    "int setsockopt(int fd, int level, int option, const uint8_t *value, uint32_t length)",
  ),
  getsockopt: library.func(
    "int getsockopt(int fd, int level, int option, _Out_ uint8_t *value, _Inout_ uint32_t *length)",
  ),
  getpeername: library.func("int getpeername(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)"),
  getsockname: library.func("int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)"),
} as const;

/** The thread's errno, as the last failing function left it. */
export function lastErrno(): number {
  return koffi.errno();
}

/** Passes on what a function returned; throws the mapped error when that is negative. */
export function check(result: number, attempted: string): number {
  if (result < 0) throw systemError(attempted, lastErrno());
  return result;
}

/** Closes a file descriptor; a second close of the same one is an error of the caller and throws. */
export function closeFd(fd: number): void {
  check(raw.close(fd), `close file descriptor ${fd}`);
}

/** Sets an option whose value is a C int. */
export function setIntOption(fd: number, level: number, option: number, value: number): void {
  const bytes = new Uint8Array(Int32Array.of(value).buffer);
  check(raw.setsockopt(fd, level, option, bytes, 4), `set socket option ${option} of level ${level}`);
}
