"""The people of the organisation, and the pipelines its deals move through."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from crmsync.sandbox.http import Json

STATUSES = {"active": "ActiveUsers", "disabled": "DeactiveUsers", "deleted": "DeletedUsers"}


@dataclass(slots=True)
class User:
    """One user. Deleted ones stay as owners of what was theirs."""

    id: str
    zuid: str
    email: str
    first_name: str
    last_name: str
    profile: str
    created: int
    modified: int
    status: str = "active"

    @property
    def name(self) -> str:
        """How others see them."""
        return f"{self.first_name} {self.last_name}".strip()

    def brief(self) -> Json:
        """Return them as named in the times of a record."""
        return {"name": self.name, "id": self.id}

    def owner(self) -> Json:
        """Return them as named in a record's own fields."""
        return {"name": self.name, "id": self.id, "email": self.email}


_FIRST = (
    ("ada@org.example", "Ada", "Sales", "Administrator", "active"),
    ("ben@org.example", "Ben", "Close", "Standard", "active"),
    ("cleo@org.example", "Cleo", "Field", "Standard", "active"),
    ("dan@org.example", "Dan", "Gone", "Standard", "disabled"),
)
"""Three who work here, and one who left. The first is who authorised the app."""


class Users:
    """The organisation's users."""

    def __init__(self, new_id: Callable[[], str], now: int) -> None:
        """Start with the first ones."""
        self._new_id = new_id
        self.all: dict[str, User] = {}
        for email, first, last, profile, status in _FIRST:
            self.add(email, first, last, now, profile).status = status
        self.current = next(iter(self.all.values()))

    def add(
        self, email: str, first_name: str, last_name: str, now: int, profile: str = "Standard"
    ) -> User:
        """Add one."""
        user_id = self._new_id()
        zuid = str(60_000_000_000 + len(self.all))
        user = User(user_id, zuid, email, first_name, last_name, profile, now, now)
        self.all[user_id] = user
        return user

    def of_type(self, kind: str) -> Iterator[User] | None:
        """Yield the users of a type of Zoho's; None where there is no such type."""
        if kind == "CurrentUser":
            return iter([self.current])
        accepts = _TYPES.get(kind)
        return None if accepts is None else (u for u in self.all.values() if accepts(u))


_TYPES: dict[str, Callable[[User], bool]] = {
    "AllUsers": lambda user: user.status != "deleted",
    "ActiveUsers": lambda user: user.status == "active",
    "DeactiveUsers": lambda user: user.status == "disabled",
    "ConfirmedUsers": lambda user: user.status != "deleted",
    "NotConfirmedUsers": lambda _user: False,
    "DeletedUsers": lambda user: user.status == "deleted",
    "ActiveConfirmedUsers": lambda user: user.status == "active",
    "AdminUsers": lambda user: user.profile == "Administrator" and user.status != "deleted",
    "ActiveConfirmedAdmins": lambda user: (
        user.profile == "Administrator" and user.status == "active"
    ),
}


@dataclass(slots=True)
class Stage:
    """One stage. Records carry its text, not its id."""

    id: str
    actual: str
    display: str
    probability: int
    forecast_type: str


@dataclass(slots=True)
class Pipeline:
    """One pipeline with its stages, in their order."""

    id: str
    name: str
    default: bool
    stages: list[Stage] = field(default_factory=list)


_STAGES = {
    "Standard": (
        ("Qualification", 10, "Open"),
        ("Needs Analysis", 20, "Open"),
        ("Value Proposition", 40, "Open"),
        ("Identify Decision Makers", 60, "Open"),
        ("Proposal/Price Quote", 75, "Open"),
        ("Negotiation/Review", 90, "Open"),
        ("Closed Won", 100, "Closed Won"),
        ("Closed Lost", 0, "Closed Lost"),
    ),
    "Renewals": (
        ("Upcoming", 50, "Open"),
        ("Closed Won", 100, "Closed Won"),
        ("Closed Lost", 0, "Closed Lost"),
    ),
}
"""Two pipelines, so that a deal has to say in which it is."""


class Pipelines:
    """The pipelines of the deals' layout."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        """Make the first two; stages of one name are one stage."""
        self.stages: dict[str, Stage] = {}
        for stages in _STAGES.values():
            for name, probability, kind in stages:
                if name not in self.stages:
                    self.stages[name] = Stage(new_id(), name, name, probability, kind)
        self.all = {
            name: Pipeline(
                new_id(), name, name == "Standard", [self.stages[stage[0]] for stage in stages]
            )
            for name, stages in _STAGES.items()
        }

    def holds(self, pipeline: str, stage: str) -> bool:
        """Say whether a pipeline has a stage."""
        return any(one.actual == stage for one in self.all[pipeline].stages)


class ContactRoles:
    """What contacts are to a deal."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        """Start with some of Zoho's roles."""
        names = ("Decision Maker", "Purchasing", "Executive Sponsor", "Other")
        self.all = {new_id(): name for name in names}
        self._of_deals: dict[str, dict[str, str | None]] = {}

    def of_deal(self, deal_id: str) -> dict[str, str | None]:
        """Return the contacts of a deal with the id of each one's role."""
        return self._of_deals.setdefault(deal_id, {})
