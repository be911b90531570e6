"""Who wanted a job off the schedule: noted where requests come in, apart from the deed itself.

A job that is off the schedule without such a note was taken off by the server on its own, which is a bug that the
deed's own note would hide.
"""

from typing import Final

from agent_sim.protocol import agent_commands, command, store_commands
from agent_sim.server.guids import read_guid
from agent_sim.server.ports import Store, Values
from agent_sim.server.tables.columns import array

_TAKE_OFF: Final = frozenset(
    {
        command.Unschedule,
        command.ScheduleInventory,  # a new schedule takes the place of the job with the old one
        agent_commands.ResetAgent,
        agent_commands.ResetAgents,
        store_commands.ApproveStores,
        store_commands.DeleteStore,
        store_commands.DeleteStores,
        store_commands.UpdateContainer,
        store_commands.UpdateStore,
    }
)
"""The requests that may take jobs off the schedule."""


def may_take_off(operation: command.Operation) -> bool:
    """True if jobs may be off the schedule because of this request."""
    return type(operation) in _TAKE_OFF


def note(store: Store, operation: command.Operation, after: int) -> None:
    """Note who was asked for among those taken off since the transition `after`: the ids named, if any are."""
    ids = operation.job_ids if isinstance(operation, command.Unschedule) else None
    named = None if not ids else array([read_guid(text) or text for text in ids])
    values: Values = {"after": after, "job_ids": named}
    store.run("unschedules_asked", values)
