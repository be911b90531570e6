"""What geventhttpclient does not tell: whether a request that failed was sent at all."""

from typing import Any

from geventhttpclient import HTTPClient


class NotSent(Exception):
    """There is no connection, so nothing was sent."""


def mark_unsent(client: HTTPClient) -> None:
    """Tell a connection that could not be made from one that broke: after the first nothing was sent."""
    pool = client._connection_pool
    connect = pool.get_socket

    def get_socket() -> Any:
        try:
            return connect()
        except OSError as error:
            raise NotSent from error

    pool.get_socket = get_socket  # type: ignore[method-assign]  # the library has no hook for it
