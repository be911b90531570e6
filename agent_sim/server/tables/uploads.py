"""Which runs sent what they found, in and out of the table `run_upload`.

A completion proves nothing: the vendor's agent says success after uploads that all failed (agent-protocol 8.1.9).
"""

from agent_sim.server.ports import Store, Values


class Uploads:
    """The table `run_upload`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, audit_id: int, *, accepted: bool) -> None:
        """A run sent a part, which was taken in or refused."""
        columns: Values = {"job_history_id": audit_id, "accepted": accepted, "refused": not accepted}
        self._store.run("upload_note", columns)

    def is_whole(self, audit_id: int) -> bool:
        """True if the run sent something and none of it was refused."""
        rows = self._store.rows("upload_of", {"job_history_id": audit_id})
        return bool(rows) and rows[0][0] > 0 and rows[0][1] == 0
