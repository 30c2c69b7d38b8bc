"""A way to a server that can be cut, and opened again."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Iterator


class Proxy(socketserver.ThreadingTCPServer):
    """Passes bytes on, each way.

    Attributes:
        refused: how many connections came while the way was cut.
    """

    daemon_threads = True

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.refused = 0
        self._is_cut = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        port: int = self.server_address[1]
        return port

    def admit(self, client: socket.socket) -> bool:
        with self._lock:
            if self._is_cut:
                self.refused += 1
            else:
                self._open.add(client)
            return not self._is_cut

    def leave(self, client: socket.socket) -> None:
        with self._lock:
            self._open.discard(client)

    def cut(self) -> None:
        """End what is open, and whatever comes from now on."""
        with self._lock:
            self._is_cut = True
            for client in self._open:
                with contextlib.suppress(OSError):  # it has just ended by itself
                    client.shutdown(socket.SHUT_RDWR)

    def repair(self) -> None:
        with self._lock:
            self._is_cut = False


class _Handler(socketserver.BaseRequestHandler):
    server: Proxy

    def handle(self) -> None:
        if not self.server.admit(self.request):
            return
        try:
            with socket.create_connection(self.server.target) as upstream, contextlib.suppress(OSError):
                _pass_on(self.request, upstream)
        finally:
            self.server.leave(self.request)


def _pass_on(client: socket.socket, upstream: socket.socket) -> None:
    other = {client: upstream, upstream: client}
    while True:
        for end in select.select([client, upstream], [], [])[0]:
            data = end.recv(1 << 16)
            if not data:
                return
            other[end].sendall(data)


@contextlib.contextmanager
def proxy_to(host: str, port: int) -> Iterator[Proxy]:
    with Proxy((host, port)) as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield made
        finally:
            made.cut()
            made.shutdown()
            thread.join()
