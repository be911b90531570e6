"""Part of a collection: filtered by a query, sorted, paged and counted (command-api 1.5).

A listing names its statements, which hold the columns; here conditions and orders are put into them, the former
compiled from the caller's query, the latter from the collection's table of fields.
"""

from dataclasses import dataclass
from typing import Final

from agent_sim.instants import Instant
from agent_sim.protocol.command import CommandReply, Page
from agent_sim.protocol.endpoints import READ_STORES
from agent_sim.query import fields
from agent_sim.query.fields import Collection, Kind
from agent_sim.query.grammar import parse
from agent_sim.query.implied import with_implied
from agent_sim.query.sql import Sql, compile  # noqa: A004 - it is called compile there
from agent_sim.query.values import Context
from agent_sim.server.callers import Caller
from agent_sim.server.operations import more_collections
from agent_sim.server.permissions import narrowed
from agent_sim.server.ports import Row, Store
from agent_sim.server.problems import Problem, refuse


@dataclass(frozen=True, slots=True)
class Listing:
    """One collection: its statements are `<statement>_page` and `<statement>_count`.

    `key` tells two records apart, so that pages never overlap; `default` is the order if none is wanted.
    """

    collection: Collection
    statement: str
    key: str
    default: str
    permission: str = ""  # one that may be held for some containers only: the others' records are left out
    container: str = "container_id"  # the column that says in which container a record is


JOB_HISTORY: Final = Listing(fields.JOB_HISTORY, "history", key="job_history_id", default="job_history_id")
SCHEDULED_JOBS: Final = Listing(fields.SCHEDULED_JOBS, "scheduled", key="seq", default="requested")
AGENTS: Final = Listing(fields.AGENTS, "agent", key="agent_id", default="agent_id")
JOB_TYPES: Final = Listing(fields.JOB_TYPES, "job_type", key="id", default="job_type_name")
STORES: Final = Listing(fields.CERTIFICATE_STORES, "store", "id", "client_machine", READ_STORES)
AGENT_POOLS: Final = Listing(more_collections.AGENT_POOLS, "agent_pool", key="id", default="name")
POOL_AGENTS: Final = Listing(fields.AGENTS, "pool_agent", key="agent_id", default="agent_id")
BLUEPRINTS: Final = Listing(more_collections.BLUEPRINTS, "blueprint", key="id", default="name")
BLUEPRINT_STORES: Final = Listing(more_collections.BLUEPRINT_STORES, "blueprint_store", key="id", default="store_path")
BLUEPRINT_JOBS: Final = Listing(more_collections.BLUEPRINT_JOBS, "blueprint_job", key="id", default="requested")
INVENTORY: Final = Listing(more_collections.INVENTORY, "inventory", key="id", default="alias")
CONTAINERS: Final = Listing(more_collections.CONTAINERS, "container", "id", "id", READ_STORES, container="id")
STORE_TYPES: Final = Listing(more_collections.STORE_TYPES, "store_type", key="store_type", default="store_type")
CERTIFICATES: Final = Listing(more_collections.CERTIFICATES, "certificate", key="id", default="id")


@dataclass(frozen=True, slots=True)
class Found:
    """A page of rows, and how many there are in all: at least so many, if nobody counted further."""

    rows: list[Row]
    total: int
    is_least: bool = False


def condition(query: str, collection: Collection, caller: Caller, now: Instant) -> Sql:
    """The condition that a caller's query means. Raises QueryError."""
    node, context = parse(query), Context(now, caller.name)
    return with_implied(compile(node, collection, context), node, collection, context)


ALL: Final = Sql("TRUE")


def find(
    store: Store,
    listing: Listing,
    page: Page,
    most: int,
    caller: Caller,
    now: Instant,
    within: Sql = ALL,
    counted_to: int | None = None,
) -> Found | CommandReply:
    """The rows of a page, of at most `most`; a refusal for a sort field that is none. Raises QueryError.

    `within` narrows the collection itself: what the query says ranges over the rest. Beyond `counted_to` records are
    not counted; there must be a statement `<statement>_count_to` for that.

    A page past the end has no rows: clients page until that comes (command-api 1.5).
    """
    order = _order(listing, page)
    if order is None:
        return refuse(Problem.SORT_FIELD, f"Invalid sort field: {page.sort_field}.")
    where = condition(page.query, listing.collection, caller, now)
    limit = min(page.limit, most)
    offset = page.skip + (page.number - 1) * limit
    readable = narrowed(caller, listing.permission, listing.container) if listing.permission else "TRUE"
    filling = {"where": f"{within.where} AND {readable} AND {where.where}", "order": order}
    params = (*within.params, *where.params)
    # One row more says whether that was the last page, where the count does not.
    rows = store.select(f"{listing.statement}_page", filling, (*params, limit + (counted_to is not None), offset))
    if counted_to is None:
        return Found(rows, store.count(f"{listing.statement}_count", filling, params))
    counted = store.count(f"{listing.statement}_count_to", filling, (*params, counted_to + 1))
    if counted <= counted_to:
        return Found(rows[:limit], counted)
    # Never less than is known: whoever reads pages until he has as many as there are must not stop early.
    seen = offset + len(rows) if rows else 0
    return Found(rows[:limit], max(counted, seen), is_least=not 0 < len(rows) <= limit)


def _order(listing: Listing, page: Page) -> str | None:
    column = listing.default
    if page.sort_field:
        field = listing.collection.find(page.sort_field.strip())
        if field is None:
            return None
        column = f"{field.column} COLLATE NOCASE" if field.kind in _TEXTS else field.column
    direction = "DESC" if page.descending else "ASC"
    return f"{column} {direction}, {listing.key} {direction}"


_TEXTS: Final = (Kind.STRING, Kind.USER, Kind.JOB_TYPE)
