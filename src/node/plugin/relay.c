/*
 * aws-cni, the executable: carries one CNI call to ipamd's socket and prints the answer. It decides nothing. When
 * the socket cannot be reached, or the answer does not come, it turns into "<own path>.offline", which has the
 * same standard input and environment. What goes over the socket is written down in protocol.ts.
 *
 * cc -O2 -static -DVERSION='"1.2.3"' relay.c
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "unknown"
#endif
#define SOCKET "/var/run/aws-node/cni.sock"
#define LIMIT (16u << 20)

extern char **environ;

static char *input;
static size_t input_length;

static int read_fully(int fd, void *into, size_t length) {
  for (char *at = into; length > 0;) {
    ssize_t got = read(fd, at, length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    at += got;
    length -= (size_t)got;
  }
  return 0;
}

static int write_fully(int fd, const void *from, size_t length) {
  for (const char *at = from; length > 0;) {
    ssize_t put = write(fd, at, length);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return -1;
    at += put;
    length -= (size_t)put;
  }
  return 0;
}

static void die(const char *what) {
  printf("{\n    \"code\": 999,\n    \"msg\": \"aws-cni: %s: %s\"\n}\n", what, strerror(errno));
  exit(1);
}

/* Standard input that was read already is put into memory under its number again. */
static void offline(char **argv) {
  char path[PATH_MAX + sizeof ".offline"];
  ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
  if (length < 0) die("cannot find its own path");
  strcpy(path + length, ".offline");
  if (input != NULL) {
    int fd = memfd_create("cni-stdin", MFD_CLOEXEC);
    if (fd < 0 || write_fully(fd, input, input_length) < 0 || lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, 0) < 0)
      die("cannot hand over its standard input");
  }
  execv(path, argv);
  die("ipamd cannot be reached and the offline plugin cannot be started");
}

static void read_input(void) {
  size_t room = 0;
  for (;;) {
    if (input_length == room) {
      if (room >= LIMIT) die("standard input is too long");
      room = room ? room * 2 : 65536;
      if ((input = realloc(input, room)) == NULL) die("cannot read standard input");
    }
    ssize_t got = read(0, input + input_length, room - input_length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) die("cannot read standard input");
    if (got == 0) return;
    input_length += (size_t)got;
  }
}

static int send_request(int fd) {
  uint32_t length = 0;
  for (char **variable = environ; *variable != NULL; variable++)
    if (strncmp(*variable, "CNI_", 4) == 0) length += (uint32_t)strlen(*variable) + 1;
  char *frame = malloc(12 + length + input_length), *at = frame + 12;
  if (frame == NULL) die("cannot write the request");
  uint32_t numbers[2] = {htonl(length), htonl((uint32_t)input_length)};
  memcpy(frame, "CNI1", 4);
  memcpy(frame + 4, numbers, 8);
  for (char **variable = environ; *variable != NULL; variable++)
    if (strncmp(*variable, "CNI_", 4) == 0) at = stpcpy(at, *variable) + 1;
  /* In one piece, so that ipamd wakes up once. */
  memcpy(at, input, input_length);
  int failed = write_fully(fd, frame, 12 + length + input_length) < 0;
  free(frame);
  return failed ? -1 : 0;
}

int main(int argc, char **argv) {
  const char *command = getenv("CNI_COMMAND"), *path = getenv("AWS_CNI_SOCKET");
  if ((argc > 1 && strcmp(argv[1], "--help") == 0) || command == NULL || *command == '\0') {
    fputs("AWS CNI " VERSION "\n"
          "CNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0\n", stderr);
    return 0;
  }
  signal(SIGPIPE, SIG_IGN);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path == NULL || *path == '\0') path = SOCKET;
  if (strlen(path) >= sizeof address.sun_path) offline(argv);
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) offline(argv);
  read_input();
  unsigned char header[12];
  if (send_request(fd) < 0 || read_fully(fd, header, 12) < 0 || memcmp(header, "CNI1", 4) != 0) offline(argv);
  uint32_t numbers[2];
  memcpy(numbers, header + 4, 8);
  uint32_t length = ntohl(numbers[1]);
  char *answer = length > LIMIT ? NULL : malloc(length + 1);
  if (answer == NULL || read_fully(fd, answer, length) < 0) offline(argv);
  if (write_fully(1, answer, length) < 0) return 1;
  return (int)ntohl(numbers[0]);
}
