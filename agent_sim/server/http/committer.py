"""Group commit: answers wait until what they tell is committed, and many of them share one commit.

A commit comes at the end of the turn of the event loop that changed something: what arrives while one is being
written shares the next, so batches grow with the load by themselves. Where each commit is dear, because it waits for
the disk, it lingers for more company after one that had some; whoever is alone never waits. Nothing here knows
requests or HTTP. The loop's thread does the committing, so that nothing is handled meanwhile; only what takes long
commits in a thread of its own (`commit`), and then nobody waits here (see `desk`).
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

LINGER: Final = 0.002
"""Seconds that a commit waits for company where it is dear."""

_COMPANY: Final = 4
_ENOUGH: Final = 1000
"""Answers that wait for one commit: fewer than the first are none to speak of, and these wait for no more."""

_logger = logging.getLogger(__name__)


class Changes(Protocol):
    """What is to be committed."""

    @property
    def dirty(self) -> bool:
        """True if there are changes that are not committed."""

    def commit(self) -> None:
        """Make every change so far permanent."""

    def settle_some(self) -> bool:
        """Do some of what was put off, if that is much; True if there may be more."""


class CommitFailed(Exception):
    """The changes behind an answer could not be committed: whether they will last is unknown."""


class Committer:
    """Commits `changes` once for everybody who waits."""

    def __init__(self, changes: Changes, linger: float = 0.0) -> None:
        self._changes, self._linger = changes, linger
        self._company = 0  # how many shared the last commit
        self.after: list[Callable[[], None]] = []  # called after each commit, in whatever thread made it
        self._waiting: list[Callable[[str], None]] = []

    async def settled(self) -> None:
        """Return when all that was changed so far is committed; at once if nothing is open. Raises CommitFailed."""
        if self._changes.dirty:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.when_settled(partial(_let_go, waiter))
            await waiter

    def when_settled(self, told: Callable[[str], None]) -> None:
        """Call `told` when all that was changed so far is committed: with what went wrong, or with nothing."""
        if not self._changes.dirty:
            told("")
            return
        self._waiting.append(told)
        if len(self._waiting) == 1:
            loop = asyncio.get_running_loop()
            if self._linger and self._company >= _COMPANY:
                loop.call_later(self._linger, self._flush_for_those_who_wait)
            else:
                loop.call_soon(self._flush_for_those_who_wait)
        elif len(self._waiting) == _ENOUGH:
            asyncio.get_running_loop().call_soon(self._flush_for_those_who_wait)

    def _flush_for_those_who_wait(self) -> None:
        if self._waiting:  # else they were let go before
            self.flush()

    def settle_some(self) -> bool:
        """Do some of what was put off, if that is much; True if there may be more."""
        return self._changes.settle_some()

    def commit(self) -> None:
        """Commit what nobody else waits for; may be called in any thread. Raises CommitFailed."""
        failure = self._commit()
        if failure:
            raise CommitFailed(failure)

    def flush(self) -> None:
        """Commit now what is not committed, and let those who wait go."""
        waiting, self._waiting = self._waiting, []
        self._company = len(waiting)
        failure = self._commit()
        for told in waiting:
            try:
                told(failure)
            except Exception:  # one that stumbles must not hold up the others
                _logger.exception("an answer failed")

    def _commit(self) -> str:
        """What went wrong, or nothing."""
        try:
            if not self._changes.dirty:
                return ""
            self._changes.commit()
        except Exception as error:  # whatever the store died of, nobody may wait for ever
            _logger.exception("commit failed")
            return str(error) or type(error).__name__
        for told in self.after:
            told()
        return ""


def _let_go(waiter: "asyncio.Future[None]", failure: str) -> None:
    if waiter.done():  # its request was given up
        return
    if failure:
        waiter.set_exception(CommitFailed(failure))
    else:
        waiter.set_result(None)
