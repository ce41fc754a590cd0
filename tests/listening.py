"""The HTTP server behind the tests' fake endpoints: one that a burst of connections doesn't overrun."""

from http.server import ThreadingHTTPServer


class Listening(ThreadingHTTPServer):
    """Room for a burst: with the standard library's queue of 5, a loaded machine resets connections."""

    request_queue_size = 128
