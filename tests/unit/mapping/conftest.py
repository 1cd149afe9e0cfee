"""A project on disk, written by a test and loaded the way `crmsync check` does."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from crmsync.mapping.configuration import Configuration, load_configuration
from crmsync.mapping.declared import Declared
from crmsync.model import Timing

KNOWN_FACTS: Mapping[str, str] = {
    "profile_id": "string",
    "user_id": "string",
    "email": "string",
    "name": "string",
    "first_name": "string",
    "last_name": "string",
    "phone": "string",
    "plan": "string",
    "company": "string",
    "company_position": "string",
    "is_trial": "boolean",
    "tags": "any",
    "visits": "number",
    "sessions": "number",
    "goals_completed": "number",
    "revenue": "number",
    "created_at": "datetime",
    "last_seen": "datetime",
}
COMPANY_FACTS: Mapping[str, str] = {
    "profile_id": "string",
    "name": "string",
    "size": "number",
    "industry": "string",
    "plan": "string",
}
RESERVED = (
    "profile_id",
    "user_id",
    "visits",
    "sessions",
    "goals_completed",
    "revenue",
    "last_seen",
)
CONNECTORS = ("hubspot", "memory", "pipedrive", "salesforce", "zoho")
SLOW = Timing(request_deadline_seconds=100, lease_seconds=180, settle_seconds=660)
"""What suits the slow one among them."""
LIMITS = frozenset({"calls_per_10s", "daily_calls", "concurrent_calls"})
DECLARED: Mapping[str, Declared] = {
    "salesforce": Declared(
        timing=SLOW,
        limits=LIMITS,
        reference_fields={"Contact": {"Account": "AccountId"}},
        merges=False,
        sends_webhooks=False,
    )
}
"""Of those that are not like most."""
ENVIRONMENT = {"CRM_TOKEN": "canary-token-1", "CRM_HOST": "127.0.0.1:9999", "EMPTY": ""}

PROJECT = """\
connections:
  crm:
    connector: hubspot
    auth: {token: "${CRM_TOKEN}"}
segments:
  paying: 'plan = "pro" OR plan = "enterprise"'
  recent: 'last_seen < 7 days'
"""
HEAD = """\
connection: crm
object: contacts
match: {crmsync_id: profile_id}
"""

Load = Callable[..., Configuration]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty project folder."""
    (tmp_path / "mappings").mkdir()
    return tmp_path


@pytest.fixture
def load(folder: Path) -> Load:
    """Write crmsync.yaml and mapping files, then load them; raises `ConfigError`."""

    def write_and_load(
        project: str | bytes = PROJECT, seen: tuple[str, ...] = (), **mappings: str | bytes
    ) -> Configuration:
        _write(folder / "crmsync.yaml", project)
        for name, text in mappings.items():
            _write(folder / "mappings" / f"{name}.yaml", text)
        return load_configuration(
            folder / "crmsync.yaml",
            ENVIRONMENT,
            known_facts=KNOWN_FACTS,
            company_facts=COMPANY_FACTS,
            connectors=CONNECTORS,
            reserved_facts=RESERVED,
            declared_by=lambda name: DECLARED.get(name, Declared(limits=LIMITS)),
            extra_facts=seen,
        )

    return write_and_load


@pytest.fixture
def load_fields(load: Load):
    """Load one mapping, `contacts`, from the lines of its `fields` and further keys."""

    def load_one(fields: str, more: str = "", **others: object):
        text = f"{HEAD}{more}fields:\n{textwrap.indent(textwrap.dedent(fields), '  ')}"
        return load(contacts=text, **others).mappings[0]

    return load_one


def _write(path: Path, text: str | bytes) -> None:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
