"""A token that `crmsync connect` keeps need not be in the environment."""

from __future__ import annotations

import pytest

from crmsync.errors import ConfigError
from crmsync.mapping.configuration import load_configuration

PROJECT = """\
connections:
  kept:
    connector: hubspot
    auth: {token: "${KEPT}"}
  other:
    connector: hubspot
    auth: {token: "${OTHER}"}
"""


def load(folder, env, *kept):
    """Load a project with two connections, tokens of some of which are kept."""
    (folder / "crmsync.yaml").write_text(PROJECT)
    read = load_configuration(
        folder / "crmsync.yaml",
        env,
        known_facts={},
        connectors=("hubspot",),
        kept_tokens=kept,
    )
    return {name: connection.auth for name, connection in read.connections.items()}


def test_a_kept_token_may_be_missing(tmp_path):
    """The settings then hold no token, and still say that a token is how it is done."""
    auth = load(tmp_path, {"OTHER": "theirs"}, "kept", "of a connection that is gone")
    assert auth == {"kept": {"token": None}, "other": {"token": "theirs"}}


def test_a_token_of_the_environment_counts_instead(tmp_path):
    """A variable that is set is used, whatever is kept."""
    auth = load(tmp_path, {"OTHER": "theirs", "KEPT": "mine"}, "kept")
    assert auth["kept"] == {"token": "mine"}


def test_a_token_that_is_nowhere_is_a_mistake(tmp_path):
    """Where nothing is kept, the variable is asked for as ever."""
    with pytest.raises(ConfigError, match="OTHER is not set") as caught:
        load(tmp_path, {}, "kept")
    assert "KEPT" not in caught.value.user_message
