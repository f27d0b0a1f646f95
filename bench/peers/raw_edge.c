/* The second reference echo server: edge-triggered epoll, each connection registered once, with the short-read rule.
 *
 * The rule: a read that returned less than the buffer holds has emptied the socket, so the next edge can be awaited
 * without another recv that would only say EAGAIN (epoll(7), questions and answers, number 9).
 * Usage: raw_edge [port]. It announces its address on standard output and runs until a signal ends it. */
#include "echo_peer.h"

/* Reads until the socket is known to be empty. A peer that sends without pause keeps this loop to itself; fairness is
 * not what this reference is for. */
static void echo_until_empty(int fd, uint32_t events)
{
    /* The edge of an end of stream comes only once, perhaps together with the last data: then a short read does not
     * mean that there is nothing left to learn. */
    int ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    char buffer[buffer_size];
    for (;;) {
        ssize_t received = recv(fd, buffer, sizeof buffer, 0);
        if (received < 0 && errno == EAGAIN)
            return;
        if (received < 0 && errno == EINTR)
            continue;
        if (received <= 0 || send_all(fd, buffer, (size_t)received) != 0) {
            close(fd);
            return;
        }
        if ((size_t)received < sizeof buffer && !ended)
            return;
    }
}

int main(int argc, char **argv)
{
    int listener = listen_on_loopback(port_argument(argc, argv));
    int epoll = create_epoll();
    watch(epoll, listener, EPOLLIN);
    announce(listener, "epoll, edge-triggered, C");

    struct epoll_event events[batch_size];
    for (;;) {
        int count = wait_for_events(epoll, events);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(listener, epoll, EPOLLIN | EPOLLRDHUP | EPOLLET);
            else
                echo_until_empty(events[i].data.fd, events[i].events);
        }
    }
}
