"""`python -m crmsync.sandbox [CRM ...]`: serve simulated CRMs in the foreground."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from crmsync.sandbox.registry import CRMS
from crmsync.sandbox.server import HOST, PORT, serve
from crmsync.sandbox.settings import SettingsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns 1 where a setting is wrong or a port is taken."""
    given = _parser().parse_args(arguments)
    try:
        serve(given.crm, host=given.host, port=given.port, settings=_settings(given))
    except SettingsError as error:
        sys.stderr.write(f"crmsync sandbox: wrong setting: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"crmsync sandbox: cannot listen on {given.host}:{given.port}: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="crmsync sandbox", description="Serve simulated CRMs.")
    parser.add_argument("crm", nargs="*", choices=[*CRMS, []], help="which; all if none is named")
    parser.add_argument("--host", default=HOST)
    parser.add_argument("--port", type=int, default=PORT, help="of the first CRM; 0 for any")
    parser.add_argument("--seed", type=int, default=0, help="repeatable randomness")
    parser.add_argument("--no-limits", action="store_true", help="answer no 429 by itself")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--tier", help="rate limits of this tier, as the CRM names it")
    parser.add_argument("--no-bodies", action="store_true", help="keep no bodies in the ledger")
    return parser


def _settings(given: argparse.Namespace) -> dict[str, Any]:
    settings = {
        "seed": given.seed,
        "latency_seconds": given.latency,
        "limits": not given.no_limits,
        "ledger_bodies": not given.no_bodies,
    }
    return settings if given.tier is None else {**settings, "tier": given.tier}


if __name__ == "__main__":
    sys.exit(main())
