/*
 * aws-cni, the executable: carries one CNI call to ipamd's socket and prints the answer. It decides nothing. When
 * the socket cannot be reached, or the answer does not come, it turns into "<own path>.offline", which has the
 * same standard input and environment. What goes over the socket is written down in protocol.ts.
 *
 * It does without a C library, because it lives for some hundred microseconds: starting glibc alone takes three
 * times as long as all of this on a virtual machine, where each of its CPUID instructions leaves to the host.
 *
 * cc -O2 -static -nostdlib -ffreestanding -fno-stack-protector -DVERSION='"1.2.3"' relay.c
 */
#include <linux/errno.h>
#include <linux/un.h>
#include <sys/syscall.h>

#ifndef VERSION
#define VERSION "unknown"
#endif
#define SOCKET "/var/run/aws-node/cni.sock"
#define LIMIT (16u << 20)
#define HEADER 12u
#define PATH_LIMIT 4096

/* Of <sys/socket.h>, <fcntl.h> and <sys/mman.h>, which belong to the C library. */
#define SOCK_STREAM_CLOEXEC (1 | 02000000)
#define MSG_NOSIGNAL 0x4000
#define AT_FDCWD (-100)
#define MFD_CLOEXEC 1u

typedef unsigned int u32;
typedef unsigned long size;

#if defined(__x86_64__)
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");

static long call(long number, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__) && !defined(__AARCH64EB__)
__asm__(".globl _start\n_start: mov x29, xzr\n mov x0, sp\n bl begin\n");

static long call(long number, long a, long b, long c, long d, long e, long f) {
  register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c,
                x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
  return x0;
}
#else
#error "no system calls known for this processor: the relay in TypeScript is used"
#endif

/* A system call that is tried again when a signal comes; what is negative is an errno. */
static long sys(long number, long a, long b, long c, long d) {
  long result;
  do result = call(number, a, b, c, d, 0, 0);
  while (result == -EINTR);
  return result;
}

/* The frame is put together where it is sent from: header, environment, standard input. */
static unsigned char request[HEADER + 2 * LIMIT + 1], answer[LIMIT], header[HEADER];
static u32 environment_length, input_length;
static int input_taken;
static char **environment;

static size length_of(const char *text) {
  size length = 0;
  while (text[length] != '\0') length++;
  return length;
}

static int starts_with(const char *text, const char *start) {
  while (*start != '\0')
    if (*text++ != *start++) return 0;
  return 1;
}

static int is_same(const char *a, const char *b) { return starts_with(a, b) && length_of(a) == length_of(b); }

static char *copy(char *to, const char *from, size length) {
  for (size at = 0; at < length; at++) to[at] = from[at];
  return to + length;
}

static const char *variable(const char *name) {
  size length = length_of(name);
  for (char **each = environment; *each != 0; each++)
    if (starts_with(*each, name) && (*each)[length] == '=') return *each + length + 1;
  return "";
}

static void put_number(unsigned char *at, u32 number) {
  for (int byte = 0; byte < 4; byte++) at[byte] = (unsigned char)(number >> (24 - 8 * byte));
}

static u32 number_at(const unsigned char *at) {
  return (u32)at[0] << 24 | (u32)at[1] << 16 | (u32)at[2] << 8 | at[3];
}

static void quit(u32 status) {
  for (;;) sys(SYS_exit_group, (long)status, 0, 0, 0);
}

/* 0, or the errno. */
static long write_fully(int fd, const void *from, size length) {
  for (const char *at = from; length > 0;) {
    long put = sys(SYS_write, fd, (long)at, (long)length, 0);
    if (put <= 0) return put < 0 ? -put : EIO;
    at += put;
    length -= (size)put;
  }
  return 0;
}

static void print(int fd, const char *text) { write_fully(fd, text, length_of(text)); }

static const char *words_for(long error) {
  switch (error) {
    case ENOENT: return "no such file or directory";
    case EACCES: return "permission denied";
    case ENOEXEC: return "not an executable";
    case ENOMEM: return "out of memory";
    case EIO: return "input/output error";
    case EFBIG: return "longer than 16 MiB";
  }
  static char number[] = "errno ....";
  for (int at = 9; at > 5; at--, error /= 10) number[at] = (char)('0' + error % 10);
  return number;
}

static void die(const char *what, long error) {
  print(1, "{\n    \"code\": 999,\n    \"msg\": \"aws-cni: ");
  print(1, what);
  print(1, ": ");
  print(1, words_for(error));
  print(1, "\"\n}\n");
  quit(1);
}

static unsigned char *input(void) { return request + HEADER + environment_length; }

/* Standard input that was read already is put into memory under its number again. */
static void offline(char **argv) {
  static char path[PATH_LIMIT + sizeof ".offline"];
  long length = sys(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)path, PATH_LIMIT);
  if (length < 0) die("cannot find its own path", -length);
  copy(path + length, ".offline", sizeof ".offline");
  if (input_taken) {
    long fd = sys(SYS_memfd_create, (long)"cni-stdin", MFD_CLOEXEC, 0, 0);
    if (fd < 0) die("cannot hand over its standard input", -fd);
    long error = write_fully((int)fd, input(), input_length);
    if (error != 0) die("cannot hand over its standard input", error);
    sys(SYS_lseek, fd, 0, 0, 0);
    sys(SYS_dup3, fd, 0, 0, 0);
  }
  long error = -sys(SYS_execve, (long)path, (long)argv, (long)environment, 0);
  die("ipamd cannot be reached and the offline plugin cannot be started", error);
}

static void take_environment(void) {
  char *at = (char *)request + HEADER;
  for (char **each = environment; *each != 0; each++) {
    if (!starts_with(*each, "CNI_")) continue;
    size length = length_of(*each) + 1;
    if (length > LIMIT - environment_length) die("cannot send its environment", EFBIG);
    at = copy(at, *each, length);
    environment_length += (u32)length;
  }
}

static void take_input(void) {
  for (;;) {
    long got = sys(SYS_read, 0, (long)(input() + input_length), LIMIT + 1 - input_length, 0);
    if (got < 0) die("cannot read standard input", -got);
    if (got == 0) break;
    input_length += (u32)got;
    if (input_length > LIMIT) die("cannot send standard input", EFBIG);
  }
  input_taken = 1;
}

/* Sent in one piece, so that ipamd wakes up once. */
static int send_request(long fd) {
  copy((char *)request, "CNI1", 4);
  put_number(request + 4, environment_length);
  put_number(request + 8, input_length);
  const unsigned char *at = request;
  for (size left = HEADER + environment_length + (size)input_length; left > 0;) {
    long put = call(SYS_sendto, fd, (long)at, (long)left, MSG_NOSIGNAL, 0, 0);
    if (put == -EINTR) continue;
    if (put <= 0) return 0;
    at += put;
    left -= (size)put;
  }
  return 1;
}

static int receive(long fd, unsigned char *into, size length) {
  while (length > 0) {
    long got = sys(SYS_read, fd, (long)into, (long)length, 0);
    if (got <= 0) return 0;
    into += got;
    length -= (size)got;
  }
  return 1;
}

/* The socket, connected; negative when nobody listens. */
static long connected(void) {
  const char *path = variable("AWS_CNI_SOCKET");
  if (*path == '\0') path = SOCKET;
  static struct sockaddr_un address = {.sun_family = 1 /* AF_UNIX */};
  size length = length_of(path);
  if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
  copy(address.sun_path, path, length);
  long fd = sys(SYS_socket, address.sun_family, SOCK_STREAM_CLOEXEC, 0, 0);
  if (fd < 0) return fd;
  long refused = sys(SYS_connect, fd, (long)&address, sizeof address, 0);
  return refused < 0 ? refused : fd;
}

/* The kernel puts the arguments and the environment on the stack: count, arguments, 0, variables, 0. */
__attribute__((used)) void begin(long *stack) {
  char **argv = (char **)(stack + 1);
  environment = argv + stack[0] + 1;
  if ((stack[0] > 1 && is_same(argv[1], "--help")) || *variable("CNI_COMMAND") == '\0') {
    print(2, "AWS CNI " VERSION "\n"
             "CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n");
    quit(0);
  }
  long fd = connected();
  if (fd < 0) offline(argv);
  take_environment();
  take_input();
  if (!send_request(fd) || !receive(fd, header, HEADER) || number_at(header) != 0x434e4931u) offline(argv);
  u32 length = number_at(header + 8);
  if (length > LIMIT || !receive(fd, answer, length)) offline(argv);
  quit(write_fully(1, answer, length) == 0 ? number_at(header + 4) : 1);
}
