"""What `crmsync init` writes: a crmsync.yaml and a first mapping that load as they are.

The texts are the samples of the manual; the address of a first connection comes from the caller.
"""

from __future__ import annotations

from typing import Final

_PROJECT: Final = """\
# yaml-language-server: $schema=.crmsync/project.json
# crmsync: which CRM accounts there are, and what counts as what.
# Secrets stay in the environment: ${NAME} is replaced by its value.

connections:
  @NAME@:
    connector: @CONNECTOR@
    auth: {token: "${@VARIABLE@}"}
    # base_url: "https://..."             # aim at another host, such as `crmsync sandbox`
    # limits: {calls_per_10s: 190}        # your account's tier; the default is the lowest
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
object: @OBJECT@              # the CRM's own name
match:                        # tried in this order while a person has no record yet
  crmsync_id: profile_id      # a unique field of ours; `crmsync connect @NAME@` makes it
  email: email                # adopts a record that is there already
trigger: realtime             # realtime | hourly | daily | {cron: "0 6 * * 1-5"} | {event: [...]}
# only: plan != "free"        # send only people who meet a condition
# mode: upsert                # upsert | update (never create) | insert (never overwrite)
fields:                       # theirs: ours
  email: email
  # score_field: {from: visits, trigger: hourly}
  # other_field: {from: plan, map: {free: lead, pro: customer}, default: lead}
"""


def project_text(name: str, connector: str, variable: str) -> str:
    """Return a commented crmsync.yaml with one connection, its token in the named variable."""
    return _filled(_PROJECT, {"NAME": name, "CONNECTOR": connector, "VARIABLE": variable})


def mapping_text(connection: str, object_type: str) -> str:
    """Return a commented first mapping that sends people's e-mail addresses to one object."""
    return _filled(_MAPPING, {"NAME": connection, "OBJECT": object_type})


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
