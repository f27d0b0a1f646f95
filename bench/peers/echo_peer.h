/* What the reference echo servers have in common: everything that happens once per connection or once per program.
 * What happens once per message is in each server's own file, because that is what the benchmark compares.
 *
 * These programs are deliberately naive where naivety costs nothing in the measured path: one thread, one epoll, no
 * state per connection beyond its descriptor, and any failure that is not the fault of a single connection ends the
 * program with a message. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { buffer_size = 4096, batch_size = 256, backlog = 4096 };

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* The only argument is the port; none, or 0, lets the kernel choose. */
static uint16_t port_argument(int argc, char **argv)
{
    if (argc < 2)
        return 0;
    char *end;
    long port = strtol(argv[1], &end, 10);
    if (argc > 2 || end == argv[1] || *end != '\0' || port < 0 || port > 65535) {
        fprintf(stderr, "usage: %s [port]\n", argv[0]);
        exit(2);
    }
    return (uint16_t)port;
}

static int listen_on_loopback(uint16_t port)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0)
        fail("socket");
    int on = 1;
    if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        fail("setsockopt SO_REUSEADDR");
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0)
        fail("bind");
    if (listen(listener, backlog) != 0)
        fail("listen");
    return listener;
}

/* The line whoever started the server waits for, hence the flush: standard output is usually a pipe. */
static void announce(int listener, const char *description)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        fail("getsockname");
    printf("listening on 127.0.0.1:%u (%s)\n", (unsigned)ntohs(address.sin_port), description);
    if (fflush(stdout) != 0)
        fail("standard output");
}

static int create_epoll(void)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        fail("epoll_create1");
    return epoll;
}

static void watch(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        fail("epoll_ctl");
}

/* Registers every connection that waits to be accepted. */
static void accept_all(int listener, int epoll, uint32_t events)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && errno == EAGAIN)
            return;
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0)
            fail("accept4");
        int on = 1;
        if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0)
            fail("setsockopt TCP_NODELAY");
        watch(epoll, fd, events);
    }
}

/* Waits for one batch of events and returns how many there are. */
static int wait_for_events(int epoll, struct epoll_event *events)
{
    int count = epoll_wait(epoll, events, batch_size, -1);
    if (count < 0 && errno != EINTR)
        fail("epoll_wait");
    return count < 0 ? 0 : count;
}

/* Sends everything; 0, or -1 if the connection is gone. A full socket buffer is waited for right here, so that one peer
 * which does not read stops the whole server: acceptable for a reference, whose messages fit the buffer, and free of
 * charge in the path that is measured. */
static int send_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent >= 0) {
            data += sent;
            size -= (size_t)sent;
        } else if (errno == EAGAIN) {
            struct pollfd writable = {.fd = fd, .events = POLLOUT};
            if (poll(&writable, 1, -1) < 0 && errno != EINTR)
                fail("poll");
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}
