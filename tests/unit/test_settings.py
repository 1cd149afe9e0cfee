"""The environment: what is read from it, what is made where it says nothing."""

from __future__ import annotations

import base64
import re
import stat
from pathlib import Path

import pytest

from crmsync import settings as settings_module
from crmsync.errors import ConfigError
from crmsync.settings import load_settings, new_key
from crmsync.store.vault import Vault


def environment(tmp_path, **given: str) -> dict[str, str]:
    """Return an environment whose project is in this folder."""
    return {"CRMSYNC_CONFIG": str(tmp_path / "crmsync.yaml"), **given}


def test_with_nothing_set_everything_is_beside_the_project(tmp_path):
    """The embedded default: SQLite and fresh keys in a hidden folder, no broker."""
    settings = load_settings(environment(tmp_path))
    assert settings.is_embedded
    assert settings.database_url == f"sqlite:///{tmp_path}/.crmsync/crmsync.db"
    assert settings.keys_made_at == tmp_path / ".crmsync" / "keys"
    Vault(settings.keys)


def test_keys_are_made_once_and_for_their_owner_only(tmp_path):
    """A second start finds the same keys, in a file that nobody else may read."""
    first = load_settings(environment(tmp_path))
    second = load_settings(environment(tmp_path))
    assert first.keys == second.keys
    assert second.keys_made_at is None
    assert first.keys_made_at is not None
    assert stat.S_IMODE(first.keys_made_at.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.keys_made_at.parent.stat().st_mode) == 0o700


def test_two_first_starts_at_once_have_the_same_keys(tmp_path, monkeypatch):
    """Who comes second while keys are made takes those of the first."""
    others = []

    def make_while_another_starts() -> str:
        monkeypatch.setattr(settings_module, "new_key", new_key)
        others.append(load_settings(environment(tmp_path)))
        return new_key()

    monkeypatch.setattr(settings_module, "new_key", make_while_another_starts)
    mine = load_settings(environment(tmp_path))
    assert [mine.keys] == [other.keys for other in others]
    assert load_settings(environment(tmp_path)).keys == mine.keys


def test_a_database_of_ones_own_needs_keys_of_ones_own(tmp_path):
    """Processes that share a database must share its keys, so none are made up."""
    with pytest.raises(ConfigError, match="CRMSYNC_KEYS is not set"):
        load_settings(environment(tmp_path, CRMSYNC_DATABASE_URL="postgresql://h/d"))


def test_what_is_set_is_taken(tmp_path):
    """Database, broker, keys and write key come from the environment."""
    old, new = new_key(), new_key()
    settings = load_settings(
        environment(
            tmp_path,
            DATABASE_URL="postgresql://h/d",
            CRMSYNC_BROKER_URL="redis://h/0",
            CRMSYNC_KEYS=f" {new}, {old},",
            CRMSYNC_WRITE_KEY="wk",
        )
    )
    assert settings.database_url == "postgresql://h/d"
    assert not settings.is_embedded
    assert settings.keys == (new, old)
    assert settings.write_key == "wk"


def test_our_variable_goes_before_the_platforms(tmp_path):
    """`CRMSYNC_DATABASE_URL` wins over `DATABASE_URL`."""
    settings = load_settings(
        environment(
            tmp_path,
            CRMSYNC_DATABASE_URL="sqlite:///a.db",
            DATABASE_URL="postgresql://h/d",
            CRMSYNC_KEYS=new_key(),
        )
    )
    assert settings.database_url == "sqlite:///a.db"


def test_settings_do_not_show_secrets(tmp_path):
    """Keys and write key are not in what is printed of the settings."""
    settings = load_settings(environment(tmp_path, CRMSYNC_KEYS=new_key(), CRMSYNC_WRITE_KEY="wk9"))
    assert settings.keys[0] not in repr(settings)
    assert "wk9" not in repr(settings)


def test_every_variable_is_in_the_manual():
    """docs/settings.md has a row for each variable that the settings read."""
    root = Path(__file__).resolve().parents[2]
    read = set(re.findall(r'"(CRMSYNC_[A-Z_]+)"', (root / "src/crmsync/settings.py").read_text()))
    assert len(read) > 5
    page = (root / "docs" / "settings.md").read_text()
    assert [name for name in sorted(read) if f"| `{name}`" not in page] == []


@pytest.mark.parametrize("given", ["0", "-5", "two", "1e9", "nan"])
def test_how_long_a_process_counts_as_alive_is_a_number(tmp_path, given):
    """Anything else is refused before the process starts."""
    with pytest.raises(ConfigError, match="CRMSYNC_ALIVE_SECONDS"):
        load_settings(environment(tmp_path, CRMSYNC_ALIVE_SECONDS=given))


def test_a_key_is_32_random_bytes():
    """A fresh key is what the vault takes, and no two are the same."""
    assert len(base64.urlsafe_b64decode(new_key())) == 32
    assert new_key() != new_key()
