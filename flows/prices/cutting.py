"""Connections that end when time is over, whatever the server sends in the meantime.

A timeout of a read begins again with every byte, and headers and handshakes are read where nobody can look at a clock.
So the socket is shut down from beside: who reads from it is told that the connection has ended.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

OPENED = (".connect_tcp.complete", ".start_tls.complete")


class Cut:
    """Shuts down what `trace` has seen to open, `seconds` after `start`, and at once what opens later."""

    def __init__(self, seconds: float) -> None:
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_over = False
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def start(self) -> None:
        self._timer.start()

    def stop(self) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """For the extension `trace` of a request."""
        if event.endswith(OPENED):
            with self._lock:
                self._sockets.append(info["return_value"].get_extra_info("socket"))
                if self._is_over:
                    _shut(self._sockets[-1])

    def _end(self) -> None:
        with self._lock:
            self._is_over = True
            for each in self._sockets:
                _shut(each)


def _shut(connection: socket.socket) -> None:
    """Of the TCP connection alone: its TLS belongs to the thread that reads it."""
    with suppress(OSError):  # it has ended by itself
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
