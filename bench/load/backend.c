// A backend that costs next to nothing, for what nginx cannot play: it swallows uploads, echoes WebSocket messages, is one of a thousand hosts, or tells
// when it began and when it listened. One thread, one epoll loop. The load clients are its only users, so it trusts them to write well-formed HTTP.
//
//   backend --port N                 listens on 127.0.0.1:N; without it on $PORT
//   backend --socket 3               uses a listening socket it inherited
//   backend --delay-ms A B           waits a random time between A and B before it listens
//   backend --times FILE             appends "BEGAN LISTENED" to FILE, both nanoseconds of CLOCK_MONOTONIC
//   backend --once                   ends when the first connection that brought a request ends
//   backend --activate PORT FILE A B is no backend but a socket activator: it listens, and runs `backend --socket 3 --once --times FILE --delay-ms A B` for a connection
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, RECEIVE_MAX = 262144, DESCRIPTORS_MAX = 32768 };
enum phase { HEAD, LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, FRAMES, PAYLOAD };

struct connection {
  enum phase phase;
  int served;
  int line;           // bytes of the current trailer line
  uint64_t left;      // bytes of the body, the chunk or the message still to come
  uint64_t received;  // bytes of the body so far
  size_t held;
  char head[HEAD_MAX];
};

static struct connection *connections[DESCRIPTORS_MAX];
static char received[RECEIVE_MAX];
static int once;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// Waits where it cannot send: whoever sends to this backend reads its answers too.
static int send_all(int fd, const char *bytes, size_t count) {
  while (count > 0) {
    ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      struct pollfd wait = {fd, POLLOUT, 0};
      poll(&wait, 1, 10000);
      continue;
    }
    if (n < 0) return -1;
    bytes += n;
    count -= (size_t)n;
  }
  return 0;
}

// An upload is answered with the number of bytes that came.
static int answer(int fd, struct connection *c, int upload) {
  char text[256], body[32];
  int length = upload ? snprintf(body, sizeof body, "%llu", (unsigned long long)c->received) : snprintf(body, sizeof body, "Hello, World!");
  int n = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nServer: backend\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", length, body);
  c->phase = HEAD;
  c->served = 1;
  return send_all(fd, text, (size_t)n);
}

// The key is always the one of RFC 6455 section 1.3, so its answer needs no hash.
static int upgrade(int fd, struct connection *c) {
  static const char text[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
  c->phase = FRAMES;
  return send_all(fd, text, sizeof text - 1);
}

// The value of a header field, or null where there is none of that name.
static const char *field(const char *head, const char *name) {
  size_t length = strlen(name);
  for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
    line += 2;
    if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
      line += length + 1;
      while (*line == ' ') line++;
      return line;
    }
  }
  return NULL;
}

static int understand(int fd, struct connection *c) {
  const char *length = field(c->head, "Content-Length"), *coding = field(c->head, "Transfer-Encoding");
  c->received = 0;
  if (field(c->head, "Sec-WebSocket-Key") != NULL) return upgrade(fd, c);
  if (coding != NULL) {
    c->phase = CHUNK_SIZE;
    c->left = 0;
    return 0;
  }
  c->left = length == NULL ? 0 : strtoull(length, NULL, 10);
  if (c->left == 0) return answer(fd, c, length != NULL);
  c->phase = LENGTH;
  return 0;
}

// Takes the bytes of a head; returns how many, or -1 when the connection is of no use any more.
static ssize_t take_head(int fd, struct connection *c, const char *bytes, size_t count) {
  size_t before = c->held, room = HEAD_MAX - 1 - before, copied = count < room ? count : room;
  memcpy(c->head + before, bytes, copied);
  c->held += copied;
  c->head[c->held] = 0;
  char *end = strstr(c->head, "\r\n\r\n");
  if (end == NULL) return c->held == HEAD_MAX - 1 ? -1 : (ssize_t)copied;
  end[2] = 0;
  size_t used = (size_t)(end - c->head) + 4 - before;
  c->held = 0;
  return understand(fd, c) < 0 ? -1 : (ssize_t)used;
}

static size_t skip(struct connection *c, size_t there, enum phase next) {
  size_t n = c->left < there ? (size_t)c->left : there;
  c->left -= n;
  c->received += n;
  if (c->left == 0) c->phase = next;
  return n;
}

// One byte of the frame around the chunks.
static int take_chunk_byte(int fd, struct connection *c, char byte) {
  if (c->phase == CHUNK_SIZE && byte == '\n') {
    c->line = 0;
    c->phase = c->left == 0 ? TRAILER : CHUNK_DATA;
  } else if (c->phase == CHUNK_SIZE && byte != '\r') {
    c->left = c->left * 16 + (uint64_t)(byte <= '9' ? byte - '0' : (byte | 32) - 'a' + 10);
  } else if (c->phase == CHUNK_END && byte == '\n') {
    c->phase = CHUNK_SIZE;
  } else if (c->phase == TRAILER && byte == '\n') {
    if (c->line == 0) return answer(fd, c, 1);
    c->line = 0;
  } else if (c->phase == TRAILER && byte != '\r') {
    c->line++;
  }
  return 0;
}

// The header of a message from a client, which is masked; the answer's has no mask. The clients mask with zero, so the payload goes back as it came,
// in one send with the header if it is there.
static ssize_t take_frame(int fd, struct connection *c, const char *bytes, size_t count) {
  size_t used = 0, need = 2;
  while (c->held < need && used < count) {
    c->head[c->held++] = bytes[used++];
    if (c->held >= 2) need = 6 + ((c->head[1] & 127) == 126 ? 2u : (c->head[1] & 127) == 127 ? 8u : 0u);
  }
  if (c->held < need) return (ssize_t)used;
  const unsigned char *h = (const unsigned char *)c->head;
  if ((h[0] & 15) == 8 || memcmp(c->head + need - 4, "\0\0\0\0", 4) != 0) return -1;
  c->left = h[1] & 127;
  if (need > 6) {
    c->left = 0;
    for (size_t i = 2; i < need - 4; i++) c->left = c->left << 8 | h[i];
  }
  c->head[1] &= 127;
  size_t there = c->left < count - used ? (size_t)c->left : count - used, together = there < HEAD_MAX - 16 ? there : 0;
  memcpy(c->head + need - 4, bytes + used, together);
  c->left -= together;
  c->held = 0;
  c->phase = c->left > 0 ? PAYLOAD : FRAMES;
  return send_all(fd, c->head, need - 4 + together) < 0 ? -1 : (ssize_t)(used + together);
}

static ssize_t take_some(int fd, struct connection *c, const char *bytes, size_t count) {
  size_t n;
  switch (c->phase) {
    case HEAD: return take_head(fd, c, bytes, count);
    case FRAMES: return take_frame(fd, c, bytes, count);
    case PAYLOAD:
      n = skip(c, count, FRAMES);
      return send_all(fd, bytes, n) < 0 ? -1 : (ssize_t)n;
    case CHUNK_DATA: return (ssize_t)skip(c, count, CHUNK_END);
    case LENGTH:
      n = skip(c, count, LENGTH);
      return c->left == 0 && answer(fd, c, 1) < 0 ? -1 : (ssize_t)n;
    default: return take_chunk_byte(fd, c, bytes[0]) < 0 ? -1 : 1;
  }
}

static int take(int fd, struct connection *c, const char *bytes, size_t count) {
  for (size_t used = 0; used < count;) {
    ssize_t n = take_some(fd, c, bytes + used, count - used);
    if (n < 0) return -1;
    used += (size_t)n;
  }
  return 0;
}

static void serve(int fd) {
  struct connection *c = connections[fd];
  // What is only counted need not be copied out of the kernel.
  int counted = c->phase == LENGTH && c->left > RECEIVE_MAX;
  ssize_t n = recv(fd, received, RECEIVE_MAX, counted ? MSG_TRUNC : 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n > 0 && counted) {
    c->left -= (uint64_t)n;
    c->received += (uint64_t)n;
    return;
  }
  if (n > 0 && take(fd, c, received, (size_t)n) == 0) return;
  int end = once && c->served;
  free(c);
  connections[fd] = NULL;
  close(fd);
  if (end) exit(0);
}

static void accept_all(int listener, int epoll) {
  int fd, yes = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    if (fd >= DESCRIPTORS_MAX) {
      close(fd);
      continue;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    connections[fd] = calloc(1, sizeof(struct connection));
    if (connections[fd] == NULL) fail("calloc");
    struct epoll_event event = {EPOLLIN, {.fd = fd}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
  }
}

static int listen_on(int port) {
  int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0) fail("listen");
  return fd;
}

// As a service manager does it: the socket is there all the time, the first connection starts the program, and the end of the program is waited for.
static void activate(int port, char *times, char *from_ms, char *to_ms) {
  int listener = listen_on(port);
  char *arguments[] = {"backend", "--socket", "3", "--once", "--times", times, "--delay-ms", from_ms, to_ms, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, listener, 3);
  for (;;) {
    struct pollfd wait = {listener, POLLIN, 0};
    pid_t child;
    if (poll(&wait, 1, -1) < 0) fail("poll");
    if (posix_spawn(&child, "/proc/self/exe", &actions, NULL, arguments, environ) != 0) fail("posix_spawn");
    waitpid(child, NULL, 0);
  }
}

static void write_times(const char *file, uint64_t began) {
  char text[64];
  int n = snprintf(text, sizeof text, "%llu %llu\n", (unsigned long long)began, (unsigned long long)now());
  int fd = open(file, O_WRONLY | O_APPEND | O_CREAT, 0644);
  if (fd < 0 || write(fd, text, (size_t)n) != n) fail(file);
  close(fd);
}

static void wait_between(int from_ms, int to_ms) {
  if (to_ms <= 0) return;
  uint64_t ms = (uint64_t)from_ms + now() / 1000 % (uint64_t)(to_ms - from_ms + 1);
  struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000) * 1000000};
  nanosleep(&t, NULL);
}

static void run(int listener) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {EPOLLIN, {.fd = listener}}, events[256];
  fcntl(listener, F_SETFL, O_NONBLOCK);
  if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) < 0) fail("epoll");
  for (;;) {
    int n = epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < n; i++) {
      if (events[i].data.fd == listener) accept_all(listener, epoll);
      else serve(events[i].data.fd);
    }
  }
}

int main(int count, char **arguments) {
  uint64_t began = now();
  const char *times = NULL, *port = getenv("PORT");
  int listener = -1, from_ms = 0, to_ms = 0;
  for (int i = 1; i < count; i++) {
    char **a = arguments + i;
    int left = count - i - 1;
    if (strcmp(a[0], "--once") == 0) once = 1;
    else if (strcmp(a[0], "--port") == 0 && left >= 1) port = a[1], i++;
    else if (strcmp(a[0], "--socket") == 0 && left >= 1) listener = atoi(a[1]), i++;
    else if (strcmp(a[0], "--times") == 0 && left >= 1) times = a[1], i++;
    else if (strcmp(a[0], "--delay-ms") == 0 && left >= 2) from_ms = atoi(a[1]), to_ms = atoi(a[2]), i += 2;
    else if (strcmp(a[0], "--activate") == 0 && left >= 4) activate(atoi(a[1]), a[2], a[3], a[4]);
    else return fprintf(stderr, "backend: cannot use the argument %s\n", a[0]), 2;
  }
  wait_between(from_ms, to_ms);
  if (listener < 0 && port == NULL) return fprintf(stderr, "backend: no port\n"), 2;
  if (listener < 0) listener = listen_on(atoi(port));
  if (times != NULL) write_times(times, began);
  run(listener);
}
