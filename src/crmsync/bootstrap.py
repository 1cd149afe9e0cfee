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
from crmsync.connectors.base import Connection, Connector, Limit
from crmsync.connectors.shared_throttle import SharedThrottle
from crmsync.connectors.throttle import RedisThrottle, Throttle
from crmsync.errors import ConfigError, CrmsyncError
from crmsync.identity.facts import COMPANY_FACTS, KNOWN_FACTS
from crmsync.identity.rules import EmailAsUserId, Rules, TraitType, Types
from crmsync.mapping.compiled import SyncMapping
from crmsync.mapping.configuration import Configuration, load_configuration
from crmsync.mapping.connections import ConnectionSettings
from crmsync.settings import Settings
from crmsync.store import profiles, schema
from crmsync.store.database import Database
from crmsync.store.ledgers import FileLedger, RowLedger
from crmsync.store.vault import Vault
from crmsync.sync.context import Ring, Store, Sync, Works

CALLS_IN_FLIGHT = 8
"""Requests under way at once to one connection, where its `limits` say nothing."""


def open_works(
    settings: Settings,
    *,
    ring: Ring = lambda _: None,
    env: Mapping[str, str] = os.environ,
) -> Works:
    """Build a process: raises `ConfigError` for every mistake a person made, all at once."""
    store = open_store(settings)
    with store.database.read() as connection:
        seen = profiles.known_trait_names(connection)
    configuration = read_configuration(settings, env, seen)
    connections = _Connections(configuration, settings, store)
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
    settings: Settings, env: Mapping[str, str] = os.environ, seen: Sequence[str] | set[str] = ()
) -> Configuration:
    """Read crmsync.yaml and the mappings; raises `ConfigError` with every problem."""
    return load_configuration(
        settings.config_path,
        env,
        known_facts=KNOWN_FACTS,
        company_facts=COMPANY_FACTS,
        connectors=registry.names(),
        extra_facts=seen,
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
    )


class _Connections:
    """Opens each connection once per process, on first use."""

    def __init__(self, configuration: Configuration, settings: Settings, store: Store) -> None:
        self._configuration = configuration
        self._settings = settings
        self._store = store
        self._open: dict[str, Connector] = {}
        self._lock = threading.Lock()

    def open_sync(self, mapping: SyncMapping) -> Sync:
        known = self._configuration.connections[mapping.connection]
        return Sync(
            mapping=mapping,
            connector=self.connector(mapping.connection),
            timing=known.timing,
            calls_in_flight=known.limits.get("concurrent_calls", CALLS_IN_FLIGHT),
            store=self._store,
        )

    def connector(self, name: str) -> Connector:
        known = self._configuration.connections.get(name)
        if known is None:
            raise ConfigError(f"crmsync.yaml has no connection '{name}'")
        with self._lock:
            if name not in self._open:
                self._open[name] = registry.open_connector(_connection(known), self._throttle)
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


def _connection(known: ConnectionSettings) -> Connection:
    return Connection(
        name=known.name,
        connector=known.connector,
        auth=known.auth,
        base_url=known.base_url,
        auth_url=known.auth_url,
        limits=known.limits,
        timing=known.timing,
    )
