"""Types of certificate stores over the management API: built-in ones to read, others to define (agent-protocol 6.6)."""

from typing import Final

from agent_sim.instants import Instant
from agent_sim.protocol import store_type_commands as wire
from agent_sim.protocol.codec import from_json, to_json
from agent_sim.protocol.command import CommandReply
from agent_sim.protocol.enums import BY_GUID, Category
from agent_sim.server.callers import Caller
from agent_sim.server.guids import read_guid
from agent_sim.server.operations.listing import STORE_TYPES, Found, find
from agent_sim.server.ports import Mint, Store
from agent_sim.server.problems import Problem, refuse
from agent_sim.server.tables.store_types import KnownType, StoreTypes, known_type
from agent_sim.settings import ServerSettings

_Wanted = wire.CreateStoreType | wire.UpdateStoreType

_LEVELS: Final = {"forbidden": 0, "optional": 1, "required": 2, "0": 0, "1": 1, "2": 2}
"""Names of what PrivateKeyAllowed and CustomAliasAllowed may be; the numbers are the vendor's, 0 to 2."""

_OWN: Final = frozenset({"Name", "ShortName", "Capability", "StoreType", "InventoryJobTypeId", "ManagementJobTypeId",
                         "DiscoveryJobTypeId", "EnrollmentJobTypeId"})  # fmt: skip
"""Members that have columns of their own."""


class StoreTypeOperations:
    """Reads and changes types of certificate stores."""

    def __init__(self, store: Store, settings: ServerSettings, mint: Mint) -> None:
        self._store, self._settings, self._mint = store, settings, mint
        self._types = StoreTypes(store)

    def listed(self, wanted: wire.ListStoreTypes, caller: Caller, now: Instant) -> CommandReply:
        """All types, by number."""
        found = find(self._store, STORE_TYPES, wanted.page, self._settings.max_return_limit, caller, now)
        if not isinstance(found, Found):
            return found
        return CommandReply(200, tuple(_shown(known_type(row)) for row in found.rows), found.total)

    def get(self, wanted: wire.GetStoreType, caller: Caller, now: Instant) -> CommandReply:
        """One type by its number."""
        known = self._types.by_number(wanted.id)
        return CommandReply(200, _shown(known)) if known else _missing(wanted.id, Problem.NOT_FOUND)

    def named(self, wanted: wire.FindStoreType, caller: Caller, now: Instant) -> CommandReply:
        """One type by its short name, in any case, as a list of one."""
        found = [kind for kind in self._types.all() if kind.short_name.lower() == wanted.name.lower()]
        return CommandReply(200, tuple(map(_shown, found))) if found else _missing(wanted.name, Problem.NOT_FOUND)

    def create(self, wanted: wire.CreateStoreType, caller: Caller, now: Instant) -> CommandReply:
        """A new type, whose jobs get GUIDs: agents are given jobs by these (agent-protocol 2.2)."""
        number = self._types.next_number()
        guids = self._guids(wanted)
        if isinstance(guids, CommandReply):
            return guids
        known = KnownType(number, wanted.name.strip(), wanted.short_name, _capability(wanted), guids)
        return self._put(known, wanted)

    def update(self, wanted: wire.UpdateStoreType, caller: Caller, now: Instant) -> CommandReply:
        """A type as it is to be; its jobs keep their GUIDs, and one in use its capability."""
        before = self._types.by_number(wanted.store_type)
        if before is None:
            return _missing(wanted.store_type, Problem.UNKNOWN_ID)
        if before.is_built_in:
            return refuse(Problem.NOT_ELIGIBLE, f"Type {before.short_name} is built in and cannot be changed")
        capability = _capability(wanted)
        if capability != before.capability and self._types.uses(before.number):
            sentence = f"Type {before.short_name} is in use, so its Capability must stay {before.capability}"
            return refuse(Problem.NOT_ELIGIBLE, sentence)
        wishes = _categories(wanted.supported_operations)
        guids = {category: before.guids.get(category) or self._mint.guid() for category in wishes}
        return self._put(KnownType(before.number, wanted.name.strip(), wanted.short_name, capability, guids), wanted)

    def _put(self, kind: KnownType, wanted: _Wanted) -> CommandReply:
        if refused := self._unusable(kind):
            return refused
        levels = [_level(value) for value in (wanted.private_key_allowed, wanted.custom_alias_allowed)]
        if None in levels:
            sentence = "PrivateKeyAllowed and CustomAliasAllowed must be 0 (Forbidden), 1 (Optional) or 2 (Required)"
            return refuse(Problem.INVALID_VALUE, sentence)
        members = to_json(wanted, omit_none=True)
        assert isinstance(members, dict)
        document = {name: value for name, value in members.items() if name not in _OWN}
        document |= {"PrivateKeyAllowed": levels[0], "CustomAliasAllowed": levels[1]}
        kept = KnownType(kind.number, kind.name, kind.short_name, kind.capability, kind.guids, False, document)
        self._types.put(kept)
        return CommandReply(200, _shown(kept))

    def _guids(self, wanted: wire.CreateStoreType) -> dict[Category, str] | CommandReply:
        """The GUIDs of the type's jobs: those given, which must be new, and minted ones."""
        given = {
            Category.INVENTORY: wanted.inventory_job_type_id,
            Category.MANAGEMENT: wanted.management_job_type_id,
            Category.DISCOVERY: wanted.discovery_job_type_id,
            Category.REENROLLMENT: wanted.enrollment_job_type_id,
        }
        guids: dict[Category, str] = {}
        taken = {*BY_GUID, *self._types.names_by_guid()}
        for category in _categories(wanted.supported_operations):
            text = given[category]
            guid = read_guid(text) if text else self._mint.guid()
            if guid is None or guid in taken:
                problem = "is no GUID" if guid is None else "is another job type's already"
                return refuse(Problem.INVALID_VALUE, f"The job type id {text!r} {problem}")
            guids[category] = guid
            taken.add(guid)
        return guids

    def _unusable(self, kind: KnownType) -> CommandReply | None:
        """Refuses a type without names, or with those of another one."""
        for label, text in (("ShortName", kind.short_name), ("Capability", kind.capability)):
            if not text or any(letter.isspace() or letter == "." for letter in text):
                return refuse(Problem.INVALID_VALUE, f"{label} must be a name without spaces and dots, is {text!r}")
        if not kind.name:
            return refuse(Problem.INVALID_VALUE, "Name must name the type")
        mine = {kind.name.lower(), kind.short_name.lower(), kind.capability.lower()}
        for other in self._types.all():
            theirs = {other.name.lower(), other.short_name.lower(), other.capability.lower()}
            if other.number != kind.number and mine & theirs:
                return refuse(Problem.DUPLICATE, f"A type with one of these names exists already: {other.short_name}")
        return None

    # --- deleted ------------------------------------------------------------------------------

    def delete(self, wanted: wire.DeleteStoreType, caller: Caller, now: Instant) -> CommandReply:
        """Delete a type."""
        if self._types.by_number(wanted.id) is None:
            return _missing(wanted.id, Problem.NOT_FOUND)
        return self._delete((wanted.id,))

    def delete_many(self, wanted: wire.DeleteStoreTypes, caller: Caller, now: Instant) -> CommandReply:
        """Delete several types, all or none."""
        return self._delete(wanted.ids)

    def _delete(self, numbers: tuple[int, ...]) -> CommandReply:
        for number in numbers:
            kind = self._types.by_number(number)
            if kind is None:
                return _missing(number, Problem.UNKNOWN_ID)
            if kind.is_built_in:
                return refuse(Problem.NOT_ELIGIBLE, f"Type {kind.short_name} is built in and cannot be deleted")
            if self._types.uses(number):
                return refuse(Problem.NOT_ELIGIBLE, f"Type {kind.short_name} is in use and cannot be deleted")
        for number in dict.fromkeys(numbers):
            self._types.delete(number)
        return CommandReply(204)


def _missing(which: int | str, problem: Problem) -> CommandReply:
    return refuse(problem, f"Certificate store type {which!r} does not exist")


def _capability(wanted: _Wanted) -> str:
    return wanted.capability or wanted.short_name


def _categories(supported: wire.SupportedOperations) -> list[Category]:
    """The kinds of jobs that there are for a type's stores: inventory always."""
    wanted = {
        Category.INVENTORY: True,
        Category.MANAGEMENT: supported.add or supported.remove or supported.create,
        Category.DISCOVERY: supported.discovery,
        Category.REENROLLMENT: supported.enrollment,
    }
    return [category for category, is_wanted in wanted.items() if is_wanted]


def _level(value: int | str) -> int | None:
    number = _LEVELS.get(value.strip().lower()) if isinstance(value, str) else value
    return number if number in _LEVELS.values() else None


def _shown(kind: KnownType) -> wire.StoreType:
    """The type as the management API shows it."""
    guids = kind.guids
    supported = wire.SupportedOperations(
        discovery=Category.DISCOVERY in guids,
        enrollment=Category.REENROLLMENT in guids,
    )
    known = {
        "SupportedOperations": to_json(supported, omit_none=True),
        **kind.document,
        "Name": kind.name,
        "ShortName": kind.short_name,
        "Capability": kind.capability,
        "StoreType": kind.number,
        "ImportType": kind.number,
        "InventoryJobType": guids.get(Category.INVENTORY),
        "ManagementJobType": guids.get(Category.MANAGEMENT),
        "DiscoveryJobType": guids.get(Category.DISCOVERY),
        "EnrollmentJobType": guids.get(Category.REENROLLMENT),
    }
    return from_json(wire.StoreType, known)
