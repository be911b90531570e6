from collections.abc import Iterator

import pytest

from tests.transports import clients


@pytest.fixture(params=list(clients.CLIENTS))
def client(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test that uses it runs with each HTTP client."""
    kept, clients.CHOSEN = clients.CHOSEN, clients.CLIENTS[request.param]
    yield
    clients.CHOSEN = kept
