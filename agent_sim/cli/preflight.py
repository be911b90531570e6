"""What is asked of a target before anything is done to it: reading only."""

from agent_sim.errors import TargetError, TransportError
from agent_sim.protocol import command, oig
from agent_sim.transports.base import CommandTransport, OigTransport, Target


async def check_target(api: CommandTransport, target: Target) -> None:
    """Raise TargetError, in one sentence, unless this is a Command server that lets us in."""
    try:
        reply = await api.call(command.GetEndpoints())
    except TransportError as error:
        raise TargetError(f"the target cannot be reached: {error}") from error
    if reply.status in (401, 403):
        raise TargetError(
            f"{target.api_url} refuses our credentials (status {reply.status}): set AGENT_SIM_USERNAME and"
            " AGENT_SIM_PASSWORD (or an OAuth client's variables), or name a file with --credentials"
        )
    if not reply.is_success or not isinstance(reply.body, tuple):
        raise TargetError(
            f"{target.api_url} is no Command server: GET /Status/Endpoints answered status {reply.status}"
            " without a list of endpoints (--api-url names another base path)"
        )


async def check_scheduler(api: OigTransport, target: Target) -> None:
    """Raise TargetError, in one sentence, unless this is Oracle's scheduler and it lets us in."""
    try:
        reply = await api.call(oig.ListJobs(page=oig.Page(limit=1)))
    except TransportError as error:
        raise TargetError(f"the target cannot be reached: {error}") from error
    if reply.status in (401, 403):
        raise TargetError(
            f"{target.oig_url} refuses our credentials (status {reply.status}): set AGENT_SIM_USERNAME and"
            " AGENT_SIM_PASSWORD, or name a file with --credentials"
        )
    if not isinstance(reply.body, oig.JobPage):
        raise TargetError(
            f"{target.oig_url} is no scheduler: GET /jobs answered status {reply.status} without a list of jobs"
            " (--api-url names another base path)"
        )
