"""The only place where things are built and joined.

`open_works` gives everything a process works with. Nothing is connected before it is used;
connectors are imported only when their connection is opened.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import redis

from crmsync.connectors import registry
from crmsync.connectors.answers import Observer, unobserved
from crmsync.connectors.base import Connection, Connector, Limit, Webhooks
from crmsync.connectors.shared_throttle import SharedThrottle
from crmsync.connectors.throttle import RedisThrottle, Throttle
from crmsync.connectors.windows import CONCURRENT
from crmsync.errors import ConfigError, CrmsyncError
from crmsync.identity.facts import COMPANY_FACTS, KNOWN_FACTS, traits_behind
from crmsync.identity.rules import EmailAsUserId, Rules, TraitType, Types
from crmsync.identity.traits import RESERVED, RESERVED_COMPANY
from crmsync.mapping.compiled import SyncMapping
from crmsync.mapping.conditions import facts_of
from crmsync.mapping.configuration import Configuration, load_configuration
from crmsync.mapping.connections import ConnectionSettings
from crmsync.mapping.declared import Declared
from crmsync.settings import Settings
from crmsync.store import profiles, schema
from crmsync.store.database import Database
from crmsync.store.ledgers import FileLedger, RowLedger
from crmsync.store.tokens import RowTokens, kept_tokens
from crmsync.store.vault import Vault
from crmsync.sync.context import Ring, Store, Sync, Works

CALLS_IN_FLIGHT = 8
"""Requests under way at once to one connection, where its `limits` say nothing."""


def open_works(
    settings: Settings,
    *,
    ring: Ring = lambda _: None,
    env: Mapping[str, str] = os.environ,
    observe: Observer = unobserved,
) -> Works:
    """Build a process: raises `ConfigError` for every mistake a person made, all at once.

    `observe` is told of every call to a CRM, from the thread that made it.
    """
    store = open_store(settings)
    configuration = read_configuration(settings, env, store)
    connections = _Connections(configuration, settings, store, observe)
    return Works(
        configuration=configuration,
        rules=rules_of(configuration),
        store=store,
        open_sync=connections.open_sync,
        ring=ring,
    )


def tune_collector() -> None:
    """Set Python's garbage collector for a process that makes and drops thousands of records.

    What was built at start stays, so it need not be looked through again; a slice's objects die by
    reference count. Takes a third off the CPU time of a push (docs/performance.md).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def open_store(settings: Settings) -> Store:
    """Open the database; on SQLite its tables are made and brought up to date on the way."""
    vault = Vault(settings.keys)
    database = Database(settings.database_url)
    try:
        if database.is_sqlite:
            schema.migrate(database)
        else:
            schema.demand_current(database)
    except CrmsyncError:
        database.dispose()
        raise
    return Store(database, vault)


def read_configuration(
    settings: Settings, env: Mapping[str, str], store: Store | None
) -> Configuration:
    """Read crmsync.yaml and the mappings; raises `ConfigError` with every problem.

    The database knows which further traits there are, and which connections keep their token.
    """
    seen: set[str] = set()
    kept: list[str] = []
    if store is not None:
        with store.database.read() as connection:
            seen = profiles.known_trait_names(connection)
            kept = kept_tokens(connection)
    return load_configuration(
        settings.config_path,
        env,
        known_facts=KNOWN_FACTS,
        company_facts=COMPANY_FACTS,
        connectors=registry.names(),
        declared_by=declared_by,
        extra_facts=seen,
        reserved_facts=RESERVED,
        reserved_company_facts=RESERVED_COMPANY,
        kept_tokens=kept,
    )


def declared_by(connector: str) -> Declared:
    """Return what files can be checked against without a connection."""
    capabilities = registry.load(connector).capabilities
    return Declared(
        timing=registry.timing_of(connector),
        limits=registry.limits_of(connector),
        reference_fields=capabilities.reference_fields,
        merges=capabilities.merges,
        sends_webhooks=capabilities.sends_webhooks,
    )


def rules_of(configuration: Configuration) -> Rules:
    """Return the rules by which events become people."""
    identity = configuration.identity
    keeps = identity.email_as_user_id == "user_id"
    return Rules(
        goals=frozenset(configuration.goals),
        email_as_user_id=EmailAsUserId.KEEP if keeps else EmailAsUserId.EMAIL,
        types=Types(identity.types),
        trait_types={name: TraitType(kind) for name, kind in configuration.traits.items()},
        max_trait_names=identity.max_trait_names,
        read_names=frozenset(traits_behind(_names_read(configuration))),
    )


def _names_read(configuration: Configuration) -> set[str]:
    """Return every fact that a mapping, a segment or a declaration names."""
    mapped = (mapping.reads for mapping in configuration.mappings)
    judged = (facts_of(condition) for condition in configuration.segments.values())
    return set(configuration.traits).union(*mapped, *judged)


class _Connections:
    """Opens each connection once per process, on first use."""

    def __init__(
        self, configuration: Configuration, settings: Settings, store: Store, observe: Observer
    ) -> None:
        self._configuration = configuration
        self._settings = settings
        self._store = store
        self._observe = observe
        self._open: dict[str, Connector] = {}
        self._lock = threading.Lock()

    def open_sync(self, mapping: SyncMapping) -> Sync:
        known = self._configuration.connections[mapping.connection]
        return Sync(
            mapping=mapping,
            connector=self.connector(mapping.connection),
            timing=known.timing,
            calls_in_flight=_calls_in_flight(connection_of(known)),
            store=self._store,
            neighbours=tuple(m for m in self._configuration.mappings if m is not mapping),
        )

    def connector(self, name: str) -> Connector:
        known = self._configuration.connections.get(name)
        if known is None:
            raise ConfigError(f"crmsync.yaml has no connection '{name}'")
        with self._lock:
            if name not in self._open:
                self._open[name] = registry.open_connector(
                    connection_of(known),
                    self._throttle,
                    tokens_of(self._store, name),
                    self._observe,
                )
            return self._open[name]

    def _throttle(self, connection: Connection, limits: Sequence[Limit]) -> Throttle:
        """Count calls where every process of this connection sees them."""
        database, broker_url = self._store.database, self._settings.broker_url
        if database.is_sqlite:
            folder = Path(str(database.url.database)).parent
            return SharedThrottle(FileLedger(folder / f"throttle-{connection.name}"), limits)
        shared = SharedThrottle(RowLedger(database, connection.name), limits)
        if broker_url is None or not broker_url.startswith(("redis://", "rediss://")):
            return shared
        client = redis.Redis.from_url(
            broker_url, socket_timeout=2, socket_connect_timeout=2, retry=None
        )
        return RedisThrottle(client, connection.name, limits, fallback=shared)


def _calls_in_flight(connection: Connection) -> int:
    """Return how many calls a push makes at once: no more than the connection may have."""
    limits = registry.load(connection.connector).limits(connection)
    allowed = (limit.amount for limit in limits if limit.name == CONCURRENT)
    return next(allowed, CALLS_IN_FLIGHT)


def tokens_of(store: Store, name: str) -> RowTokens:
    """Return where the tokens of a connection are kept."""
    return RowTokens(store.database, store.vault, name)


def connection_of(known: ConnectionSettings) -> Connection:
    """Return a connection as its connector sees it."""
    hooks = known.webhooks
    return Connection(
        name=known.name,
        connector=known.connector,
        auth=known.auth,
        base_url=known.base_url,
        auth_url=known.auth_url,
        limits=known.limits,
        quota=known.quota,
        timing=known.timing,
        webhooks=Webhooks(hooks.url, hooks.secret) if hooks else None,
        remedy=known.remedy,
    )
