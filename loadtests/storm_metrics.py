"""A storm's own `/metrics`, while it lasts: what it tells every second, added up, for Prometheus on this machine."""

import os
from collections.abc import Callable
from typing import cast

from gevent.pywsgi import WSGIServer
from prometheus_client import ProcessCollector, make_wsgi_app

from agent_sim.errors import UsageError
from agent_sim.results.journal import StormStarted
from agent_sim.results.plain import JsonObject
from agent_sim.results.render.prometheus import registry_of
from agent_sim.results.tally import Tally, storm_families
from agent_sim.storms.meter import SeriesEntry
from agent_sim.storms.plan import StormPlan

TellSecond = Callable[[SeriesEntry], None]


def telling(port: int | None, plan: StormPlan, tell_second: TellSecond) -> TellSecond:
    """The same, which the port of 127.0.0.1 shows too if there is one. Raises UsageError for a port that is taken."""
    if port is None:
        return tell_second
    tally = Tally()
    tally.add(StormStarted(0.0, plan.name, plan.operation))
    registry = registry_of(lambda: tuple(storm_families(tally.storms)))
    ProcessCollector(registry=registry)
    server = WSGIServer(("127.0.0.1", port), make_wsgi_app(registry), log=None)
    try:
        server.start()
    except OSError as error:
        raise UsageError(f"--metrics-port {port}: cannot be listened on ({os.strerror(error.errno or 0)})") from error
    print(f"metrics: http://127.0.0.1:{server.server_port}/metrics", flush=True)

    def tell(entry: SeriesEntry) -> None:
        tally.storm(plan.name, cast(JsonObject, entry))
        tell_second(entry)

    return tell
