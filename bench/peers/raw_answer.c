/* What no HTTP server can be cheaper than: whatever arrives is answered with the same bytes, of the length of what
 * examples/http_server answers. One recv and one send, nothing is looked at.
 *
 * Its distance from a server is what the server itself costs; the rest is the kernel's.
 * Usage: raw_answer [port]. It announces its address on standard output and runs until a signal ends it. */
#include "echo_peer.h"

static const char answer[] = "HTTP/1.1 200 OK\r\n"
                             "Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n"
                             "Content-Type: text/plain\r\n"
                             "Content-Length: 12\r\n"
                             "\r\n"
                             "Hello world\n";

static void answer_once(int fd)
{
    char buffer[buffer_size];
    ssize_t received = recv(fd, buffer, sizeof buffer, 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    /* Closing also removes the descriptor from the epoll, because nothing else refers to the same open socket. */
    if (received <= 0 || send_all(fd, answer, sizeof answer - 1) != 0)
        close(fd);
}

int main(int argc, char **argv)
{
    int listener = listen_on_loopback(port_argument(argc, argv));
    int epoll = create_epoll();
    watch(epoll, listener, EPOLLIN);
    announce(listener, "epoll, level-triggered, C, always the same answer");

    struct epoll_event events[batch_size];
    for (;;) {
        int count = wait_for_events(epoll, events);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == listener)
                accept_all(listener, epoll, EPOLLIN);
            else
                answer_once(events[i].data.fd);
        }
    }
}
