"""Everything that can go wrong, grouped by how one recovers from it.

    CrmsyncError
    ├── ConfigError           a person must change a file, a setting or an argument
    ├── EventRejected         this event only: report it, take the rest
    ├── BatchRejected         the CRM refused a whole batch; surely nothing was written
    ├── OutcomeUnknown        perhaps applied: settle, then verify
    ├── RetryLater            surely not applied: the same call may pass later
    │   ├── RateLimited       the CRM, or our own throttle, asks for patience
    │   └── Unavailable       the CRM cannot be reached or is down
    ├── ConnectionHalted      credentials, permission or quota: pause the connection, tell a person
    ├── StoreUnavailable      our own database cannot be reached
    └── SealBroken            stored data cannot be opened: a key is missing, or it was changed

A class's docstring is its default message. `user_message` is safe to show and to log: it never
holds secrets or trait values. A failed *record* is a `model.Result`, never an exception.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from crmsync.model import Result


class CrmsyncError(Exception):
    """Something went wrong."""

    def __init__(self, message: str | None = None) -> None:
        """Take the class's docstring where no message is given."""
        self.user_message = message or (type(self).__doc__ or "").strip()
        super().__init__(self.user_message)


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file that a person wrote."""

    file: str
    line: int
    """From 1."""
    column: int
    """From 1."""
    message: str
    source_line: str = ""
    severity: str = "error"
    """`error` refuses the file; `warning` does not."""

    def __str__(self) -> str:
        """Give `file:line:column: message`, the line and a caret below the place."""
        text = f"{self.file}:{self.line}:{self.column}: {self.message}"
        if not self.source_line:
            return text
        return f"{text}\n    {self.source_line}\n    {' ' * (self.column - 1)}^"


class ConfigError(CrmsyncError):
    """A setting or a file is wrong."""

    def __init__(self, message: str | None = None, problems: Sequence[Problem] = ()) -> None:
        """Carry every problem found at once, in file order."""
        self.problems = tuple(problems)
        super().__init__(message or "\n".join(str(p) for p in self.problems) or None)


class EventRejected(CrmsyncError):
    """The event cannot be taken."""


class BatchRejected(CrmsyncError):
    """The CRM refused the whole batch; nothing was written."""

    def __init__(  # noqa: PLR0913 (what a CRM says of a refusal)
        self,
        message: str | None = None,
        *,
        code: str,
        hint: str = "",
        field: str | None = None,
        excerpt: str = "",
        settled: Mapping[int, Result] | None = None,
    ) -> None:
        """Say what the CRM said, so that the one record left after bisecting can carry it.

        `settled`: where only a part was refused, what became of the other operations, by place.
        """
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.field = field
        self.excerpt = excerpt
        self.settled = dict(settled or {})


class OutcomeUnknown(CrmsyncError):
    """The answer was lost: the CRM may or may not have done it."""


class RetryLater(CrmsyncError):
    """Not done; try again later."""

    def __init__(
        self,
        message: str | None = None,
        *,
        retry_after_seconds: float = 1.0,
        was_sent: bool = True,
    ) -> None:
        """Say how long the whole connection should wait, and whether a call was made at all."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.was_sent = was_sent


class RateLimited(RetryLater):
    """The CRM's rate limit is reached, or our share of it."""


class BackgroundSpent(RateLimited):
    """What work in the background may use of a limit is used up; real-time work goes on."""


class Unavailable(RetryLater):
    """The CRM cannot be reached."""


class ConnectionHalted(CrmsyncError):
    """The connection needs a person."""

    def __init__(self, message: str | None = None, *, cause: str, hint: str = "") -> None:
        """Name the cause: `reauth_required`, `missing_scope`, `quota_exhausted` or `refused`."""
        super().__init__(message)
        self.cause = cause
        self.hint = hint


class Forged(CrmsyncError):
    """A webhook's delivery does not prove that it is from the CRM."""


class StoreUnavailable(CrmsyncError):
    """The database cannot be reached."""


class SealBroken(CrmsyncError):
    """Stored data cannot be opened."""
