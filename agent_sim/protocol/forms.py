"""Forms in the place of JSON: how the published Python client sends the management API's PUTs.

Turns a form into the JSON object that an endpoint takes; what that means is `protocol.codec`'s business.
"""

import json
import re
from types import UnionType
from typing import Final, Union, cast, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

from agent_sim.errors import MalformedMessage
from agent_sim.protocol.endpoints import Endpoint
from agent_sim.protocol.names import wire_names

_DEEPEST: Final = 4


def form_as_json(row: Endpoint, body: bytes) -> bytes:
    """A form as the JSON object that `row` takes. Raises MalformedMessage.

    Empty values count as left out, the last of several wins, and a dot leads into an object: `Password.SecretValue`.
    """
    try:
        given = parse_qsl(body.decode(), strict_parsing=bool(body))
    except ValueError as error:
        raise MalformedMessage("the body must be a form in UTF-8, such as Name=value&Id=1") from error
    members: dict[str, object] = {}
    for name, value in given:
        *outer, last = name.split(".")
        place = members
        for step in outer[:_DEEPEST]:
            found = place.setdefault(step, {})
            place = found if isinstance(found, dict) else {}
        place[last] = value
    kind = cast(type, row.operation)
    hints = get_type_hints(kind)
    wanted = {alias.lower(): hints[name] for name, alias in wire_names(kind)}
    return json.dumps({name: _plain(wanted.get(name.lower()), value) for name, value in members.items()}).encode()


def _plain(hint: object, value: object) -> object:
    """A form's text as the number or truth value that its field wants; what is neither stays a text."""
    takes = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if not isinstance(value, str) or str in takes:
        return value
    if int in takes and re.fullmatch(r"-?[0-9]{1,20}", value):
        return int(value)
    return value.lower() == "true" if bool in takes and value.lower() in ("true", "false") else value
