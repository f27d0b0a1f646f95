/* The reference echo server: level-triggered epoll, one recv and one send per event, nothing else.
 *
 * It is what one writes in C after reading epoll(7), and the peer against which the gates of echo_bench are stated.
 * Usage: raw_level [port]. It announces its address on standard output and runs until a signal ends it. */
#include "echo_peer.h"

/* A level-triggered descriptor that still holds data is reported again, so one read per event is enough. */
static void echo_once(int fd)
{
    char buffer[buffer_size];
    ssize_t received = recv(fd, buffer, sizeof buffer, 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    /* Closing also removes the descriptor from the epoll, because nothing else refers to the same open socket. */
    if (received <= 0 || send_all(fd, buffer, (size_t)received) != 0)
        close(fd);
}

int main(int argc, char **argv)
{
    int listener = listen_on_loopback(port_argument(argc, argv));
    int epoll = create_epoll();
    watch(epoll, listener, EPOLLIN);
    announce(listener, "epoll, level-triggered, C");

    struct epoll_event events[batch_size];
    for (;;) {
        int count = wait_for_events(epoll, events);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(listener, epoll, EPOLLIN);
            else
                echo_once(events[i].data.fd);
        }
    }
}
