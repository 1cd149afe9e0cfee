"""What `crmsync init` writes: a crmsync.yaml and a first mapping that load as they are.

The texts are the samples of the manual; the address of a first connection comes from the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_PROJECT: Final = """\
# yaml-language-server: $schema=.crmsync/project.json
# crmsync: which CRM accounts there are, and what counts as what.
# Secrets stay in the environment: ${NAME} is replaced by its value.

connections:
  @NAME@:
    connector: @CONNECTOR@
    auth: @AUTH@
    # base_url: "https://..."             # aim at another host, such as `crmsync sandbox`
    # limits: {@LIMIT@}
    #                                     # your account's tier; the default is the lowest
    # quota: {daily_share: 0.8, realtime_reserve: 0.2}

# Tracked events that count as goals; revenue is the sum of their `revenue` property.
goals:
  plan_upgraded: {}

# Named groups of people.
# segments:
#   paying: 'plan = "pro" OR plan = "enterprise"'

# Traits of your own, so that a misspelt name is noticed.
# traits:
#   team_size: number
"""

_MAPPING: Final = """\
# yaml-language-server: $schema=../.crmsync/schema.json
# Which trait of ours becomes which field of theirs. Try it: crmsync check, then crmsync push
connection: @NAME@
source: profiles              # profiles (people) | companies
@OBJECT@
match:                        # tried in this order while a person has no record yet
@MATCH@
trigger: realtime             # realtime | hourly | daily | {cron: "0 6 * * 1-5"} | {event: [...]}
# only: plan != "free"        # send only people who meet a condition
# mode: upsert                # upsert | update (never create) | insert (never overwrite)
fields:                       # theirs: ours
@FIELDS@
  # score_field: {from: visits, trigger: hourly}
  # other_field: {from: plan, map: {free: lead, pro: customer}, default: lead}
@PULL@
"""

_COMMENT: Final = 30
"""The column in which comments begin."""


def project_text(name: str, connector: str, auth: str, limit: str) -> str:
    """Return a commented crmsync.yaml with one connection; `auth` and `limit` are YAML."""
    words = {"NAME": name, "CONNECTOR": connector, "AUTH": auth, "LIMIT": limit}
    return _filled(_PROJECT, words)


def connection_text(name: str, connector: str, auth: str) -> str:
    """Return the lines that a connection takes under `connections:`."""
    return f"  {name}:\n    connector: {connector}\n    auth: {auth}"


def mapping_text(
    connection: str,
    object_type: str,
    match: tuple[str, str],
    fields: Mapping[str, str],
    owner_field: str | None,
) -> str:
    """Return a commented first mapping of people.

    `match`: the CRM's fields for our id and for the e-mail address. `fields`: theirs: ours, in
    YAML, besides the e-mail address. `owner_field`: whose record it is, which is read back.
    """
    ours, email = match
    made = f"a unique field of ours; `crmsync connect {connection}` sees to it"
    keys = [
        _noted(f"  {ours}: profile_id", made),
        _noted(f"  {email}: email", "adopts a record that is there already"),
    ]
    sent = [f"  {theirs}: {value}" for theirs, value in {email: "email", **fields}.items()]
    # A trait of its own for each connection: two may not both have the last word on one.
    pull = f"  {connection.replace('-', '_')}_owner: {owner_field or 'owner_field'}"
    read = ["pull:                         # ours: theirs; what comes back", pull]
    words = {
        "NAME": connection,
        "PULL": "\n".join(read if owner_field else [f"# {line}" for line in read]),
        "OBJECT": _noted(f"object: {object_type}", "the CRM's own name"),
        "MATCH": "\n".join(keys),
        "FIELDS": "\n".join(sent),
    }
    return _filled(_MAPPING, words)


def _noted(line: str, comment: str) -> str:
    return f"{line.ljust(_COMMENT)}# {comment}"


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
