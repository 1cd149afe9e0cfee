"""`crmsync connect` with each CRM, by each way it has; `test_connect.py` has the flow in detail."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crmsync.cli.entry import run
from tests.crms import CRMS, SALESFORCE, Crm
from tests.end_to_end.folders import EVENTS, write_person, write_project
from tests.end_to_end.test_cli import free_port
from tests.end_to_end.test_connect import browser, connecting, printed_page, redirected
from tests.sandboxes import WatchedSandbox, running
from tests.workbench import TOKEN

__all__ = ["browser"]

OAUTH = {"oauth": {"client_id": "${CLIENT_ID}", "client_secret": "${CLIENT_SECRET}"}}
each_crm = pytest.mark.parametrize("crm", CRMS, ids=lambda crm: crm.name)
"""For tests that take `begin`, too."""


@dataclass(frozen=True)
class Begun:
    """A folder with one person's events and a mapping, and the CRM it is aimed at."""

    crm: Crm
    folder: Path
    sandbox: WatchedSandbox

    def held(self) -> int:
        """Return how many people are in the CRM."""
        return len(self.sandbox.control.records(self.crm.object_type))

    def token_calls(self) -> int:
        """Return how often a token was asked for."""
        return self.sandbox.control.calls(path=self.crm.grants_at)

    def push(self) -> None:
        """Send the person, and see them arrive."""
        assert run(["ingest", EVENTS]) == 0
        assert run(["push"]) == 0
        assert self.held() == 1


@pytest.fixture
def begin(crm, folder, monkeypatch):
    """Writes a project of this CRM with this `auth`, and starts the CRM with these settings."""
    for name, value in crm.app.items():
        monkeypatch.setenv(name.upper(), value)
    with running(crm.name, limits=False, **crm.settings) as sandbox:

        def make(auth, **settings):
            sandbox.control.settings(**settings)
            connection = crm.connection(sandbox.url, auth=auth)
            write_project(folder, {crm.name: connection}, {"people": crm.mapping(crm.by_key)})
            write_person(folder)
            return Begun(crm, folder, sandbox)

        yield make


@each_crm
def test_consent_in_the_browser(begin, crm, browser, capsys):
    """The browser comes back; the match field is made or there, the connection tried, then used."""
    begun = begin(OAUTH, **({"require_pkce": True} if crm is SALESFORCE else {}))
    port = free_port()
    assert run(["connect", crm.name, "--port", str(port)]) == 0
    said = capsys.readouterr().out
    page = parse_qs(next(urlsplit(line).query for line in said.splitlines() if "?" in line))
    assert page["redirect_uri"] == [f"http://localhost:{port}/callback"]
    assert ("code_challenge" in page) == (crm is SALESFORCE)
    assert f"the match field '{crm.key}'" in said or f"its match field '{crm.key}'" in said
    assert f"{crm.name} answers: account" in said
    assert [page.status_code for page in browser()] == [200]
    begun.push()
    assert begun.token_calls() == 1


@each_crm
def test_the_apps_secret_is_wrong(begin, crm, browser, monkeypatch, capsys):
    """It is the app that is to be corrected, not the person who is to agree again."""
    begun = begin(OAUTH)
    monkeypatch.setenv("CLIENT_SECRET", "not-the-secret")
    assert run(["connect", crm.name, "--port", str(free_port()), "--wait", "20"]) == 1
    said = capsys.readouterr()
    assert len(browser()) == 1
    assert f"{crm.label} gives '{crm.name}' no token" in said.err
    assert f"Check `auth` and `auth_url` of '{crm.name}' against the app in {crm.label}" in said.err
    assert "not-the-secret" not in said.err + said.out
    assert begun.held() == 0


@each_crm
def test_the_address_is_pasted_over_ssh(begin, crm):
    """What a browser on another machine ends at is pasted."""
    begun = begin(OAUTH)
    with connecting("--no-browser", "--port", str(free_port()), name=crm.name) as process:
        back = redirected(printed_page(process))
        said, complained = process.communicate(f"{back}\n", timeout=60)
    assert process.returncode == 0, complained
    assert f"{crm.name} answers: account" in said
    assert begun.token_calls() == 1
    begun.push()


@each_crm
def test_a_token_on_stdin(begin, crm):
    """A wrong one leaves nothing behind; a good one is kept, used, and in no file."""
    begun = begin({"token": "${CRM_TOKEN}"})
    for token, code in (("wrong-token", 1), (TOKEN, 0)):
        with connecting(name=crm.name) as process:
            said, complained = process.communicate(f"{token}\n", timeout=60)
        assert process.returncode == code, complained
        assert ("The token is kept" in said) == (token == TOKEN)
        assert token not in said + complained
    begun.push()
    files = [file for file in begun.folder.rglob("*") if file.is_file()]
    assert [file for file in files if TOKEN.encode() in file.read_bytes()] == []


@pytest.fixture
def key_pair(folder):
    """A private key in a file, and its public half as Salesforce is given it."""
    key = rsa.generate_private_key(65537, 2048)
    (folder / "crmsync.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public = key.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.PEM, form).decode()


JWT = {
    "jwt": {
        "client_id": "${CLIENT_ID}",
        "username": "integration@acme.example",
        "private_key_file": "crmsync.key",
    }
}
CLIENT = {"client_credentials": OAUTH["oauth"]}
only_salesforce = pytest.mark.parametrize("crm", [SALESFORCE], ids=["salesforce"])


@only_salesforce
@pytest.mark.parametrize("auth", [JWT, CLIENT], ids=["jwt", "client_credentials"])
def test_salesforce_without_a_person(begin, crm, key_pair, capsys, auth):
    """Servers prove themselves by a key or a secret: nobody is asked for anything."""
    begun = begin(auth, jwt_public_key=key_pair)
    assert run(["connect", crm.name]) == 0
    assert f"{crm.name} answers: account" in capsys.readouterr().out
    begun.push()
    begun.sandbox.control.act("expire_access_tokens")
    assert run(["check", "--live"]) == 0


@only_salesforce
@pytest.mark.usefixtures("key_pair")
@pytest.mark.parametrize("auth", [JWT, CLIENT], ids=["jwt", "client_credentials"])
def test_salesforce_refuses_who_it_does_not_know(begin, crm, monkeypatch, capsys, auth):
    """Another key, or another secret: what to correct is said, and no secret is."""
    monkeypatch.setenv("CLIENT_SECRET", "not-the-secret")
    begun = begin(auth)
    assert run(["connect", crm.name]) == 1
    said = capsys.readouterr()
    assert "Salesforce gives 'salesforce' no token (400 " in said.err
    assert "Check `auth` and `auth_url` of 'salesforce' against the app" in said.err
    assert "not-the-secret" not in said.err + said.out
    assert "Traceback" not in said.err
    assert begun.held() == 0


@only_salesforce
def test_salesforce_says_how_to_make_the_field(begin, crm, monkeypatch, capsys):
    """Its API makes none: the exact steps are printed, and once they are taken it is found."""
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    begun = begin({"token": "${CRM_TOKEN}"}, external_id_fields=())
    control = begun.sandbox.control
    control.act("remove_field", object_type=crm.object_type, name=crm.key)
    assert run(["connect", crm.name]) == 0
    said = capsys.readouterr()
    for words in (crm.key, "Object Manager > Contact", "External ID", "Unique", "field-level"):
        assert words in said.err
    assert run(["ingest", EVENTS]) == 0
    assert run(["push"]) == 1
    assert f"no field '{crm.key}'" in capsys.readouterr().err
    control.act(
        "add_field", object_type=crm.object_type, name=crm.key, label="crmsync",
        type="string", length=40, unique=True, external_id=True,
    )  # fmt: skip
    assert run(["connect", crm.name]) == 0
    assert f"its match field '{crm.key}'" in capsys.readouterr().out
    begun.push()
