"""Whether a caller is let into an operation, by the permissions of its row and the containers of what it names.

A caller who holds a permission for one container only gets into the operations of the table here, and there to what is
in that container: naming anything else refuses the whole request. All other operations ask for the global permission.
Permissions themselves and those of jobs are found in `permissions`; listings narrow themselves (`operations.listing`).
Source: command-api 2.6, transferred from scheduling to the other permissions on certificate stores (our choice).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from agent_sim.protocol import command, store_commands
from agent_sim.protocol.endpoints import BY_OPERATION, Endpoint
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.permissions import containers, may_at
from agent_sim.server.ports import Store
from agent_sim.server.tables.columns import array


def _nothing(_: object) -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True)
class _Touches:
    """What an operation names: stores by their ids, and containers; None is what is in no container."""

    stores: Callable[..., Iterable[str]] = _nothing  # each takes the operation that its row is for
    containers: Callable[..., Iterable[int | None]] = _nothing


_ENTRIES: Final = _Touches(stores=lambda wanted: (entry.certificate_store_id for entry in wanted.certificate_stores))
_ONE_STORE: Final = _Touches(stores=lambda wanted: (wanted.id,))


def _moved_to(wanted: store_commands.UpdateStore | store_commands.StoreApproval) -> Iterable[int]:
    return () if wanted.container_id is None else (wanted.container_id,)


BY_CONTAINER: Final[Mapping[type[command.Operation], _Touches]] = {
    command.ListStores: _Touches(),  # narrowed to containers that the caller may read
    store_commands.GetStore: _ONE_STORE,
    store_commands.ListInventory: _ONE_STORE,
    command.CreateStore: _Touches(containers=lambda wanted: (wanted.container_id,)),
    store_commands.UpdateStore: _Touches(lambda wanted: (wanted.id,), _moved_to),
    store_commands.DeleteStore: _ONE_STORE,
    store_commands.DeleteStores: _Touches(stores=lambda wanted: wanted.ids),
    store_commands.ApproveStores: _Touches(
        stores=lambda wanted: (store.id for store in wanted.stores),
        containers=lambda wanted: (number for store in wanted.stores for number in _moved_to(store)),
    ),
    store_commands.ReenrollStore: _Touches(stores=lambda wanted: (wanted.keystore_id,)),
    command.ScheduleInventory: _Touches(stores=lambda wanted: wanted.store_ids),
    command.AddCertificate: _ENTRIES,
    command.RemoveCertificate: _ENTRIES,
    store_commands.ListContainers: _Touches(),  # narrowed likewise
    store_commands.GetContainer: _Touches(containers=lambda wanted: (wanted.id,)),
}


def may_use(caller: Caller, row: Endpoint) -> bool:
    """True if an endpoint is open to the caller for anything at all."""
    if row.operation in BY_CONTAINER:
        return all(containers(caller, permission) != frozenset() for permission in row.permissions)
    return all(map(caller.may, row.permissions))


def may_do(caller: Caller, operation: command.Operation, store: Store) -> bool:
    """True if the caller may use this operation on all that it names. What does not exist is not held against it."""
    row = BY_OPERATION[type(operation)]
    if all(map(caller.may, row.permissions)):
        return True
    if not may_use(caller, row):
        return False
    touches = BY_CONTAINER[type(operation)]
    named = {*touches.containers(operation), *_containers(store, touches.stores(operation))}
    return all(may_at(caller, permission, container) for permission in row.permissions for container in named)


def _containers(store: Store, ids: Iterable[str]) -> Iterable[int | None]:
    wanted = array(sorted({read_guid(text) or text for text in ids}))
    return [container for (container,) in store.rows("containers_of_stores", {"ids": wanted})]
