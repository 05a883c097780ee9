// A small static server: one connection at a time, every answer ends with it.
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void rows(int client, int pause_ms) {
    char line[32];
    const char *head = "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nConnection: close\r\n\r\n";
    send(client, head, strlen(head), MSG_NOSIGNAL);
    for (int row = 1; row <= 100; row++) {
        int length = snprintf(line, sizeof line, "row %d\n", row);
        if (send(client, line, length, MSG_NOSIGNAL) < 0) {
            return;
        }
        usleep(pause_ms * 1000);
    }
}

static void answer(int client, const char *body) {
    char out[9000];
    int length = snprintf(out, sizeof out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", strlen(body), body);
    send(client, out, length, MSG_NOSIGNAL);
}

static void serve(int client) {
    char in[8192];
    size_t got = 0;
    char *end = NULL;
    while (end == NULL || got < (size_t)(end - in) + strlen("\r\n\r\n")) {
        ssize_t more = recv(client, in + got, sizeof in - 1 - got, 0);
        if (more <= 0) {
            return;
        }
        got += more;
        in[got] = 0;
        end = strstr(in, "\r\n\r\n");
    }
    if (strncmp(in, "GET /rows", 9) == 0) {
        int pause_ms = 50;
        sscanf(in, "GET /rows?ms=%d", &pause_ms);
        rows(client, pause_ms);
    } else if (strncmp(in, "POST ", 5) == 0) {
        char *length = strcasestr(in, "content-length:");
        size_t wanted = (end - in) + 4 + (length ? strtoul(length + 15, NULL, 10) : 0);
        while (got < wanted && got < sizeof in - 1) {
            ssize_t more = recv(client, in + got, sizeof in - 1 - got, 0);
            if (more <= 0) {
                return;
            }
            got += more;
        }
        in[got] = 0;
        answer(client, end + 4);
    } else if (strncmp(in, "GET / ", 6) == 0) {
        answer(client, "Hello from C\n");
    } else {
        const char *none = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        send(client, none, strlen(none), MSG_NOSIGNAL);
    }
}

int main(void) {
    const char *port = getenv("PORT");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port ? atoi(port) : 8080)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 16) < 0) {
        perror("listen");
        return 1;
    }
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client >= 0) {
            serve(client);
            close(client);
        }
    }
}
