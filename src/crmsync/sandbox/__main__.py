"""`python -m crmsync.sandbox [CRM ...]`: serve simulated CRMs in the foreground."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from crmsync.sandbox import guide
from crmsync.sandbox.registry import CRMS, tiers_of
from crmsync.sandbox.server import HOST, PORT, serve
from crmsync.sandbox.settings import SettingsError


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns 1 where a setting is wrong or a port is taken."""
    given = _parser().parse_args(arguments)
    try:
        serve(
            given.crm,
            host=given.host,
            port=given.port,
            settings=_settings(given),
            own={crm: {"tier": tier} for crm, tier in _tiers(given).items()},
            announce=guide.print_json if given.json else guide.print_text,
        )
    except SettingsError as error:
        sys.stderr.write(f"crmsync sandbox: wrong setting: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(
            f"crmsync sandbox: cannot listen on {error.filename}: {error.strerror}; "
            "--port chooses another port (0: any that is free)\n"
        )
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="crmsync sandbox", description="Serve simulated CRMs.")
    parser.add_argument(
        "crm",
        nargs="*",
        choices=[*CRMS, []],
        metavar="CRM",
        help=f"which of {', '.join(CRMS)}; all where none is named",
    )
    parser.add_argument("--host", default=HOST, help="the address to listen on")
    parser.add_argument("--port", type=_port, default=PORT, help="of the first CRM; 0 for any")
    parser.add_argument("--seed", type=int, default=0, help="repeatable randomness")
    parser.add_argument("--no-limits", action="store_true", help="answer no 429 by itself")
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="SECONDS", help="how long each answer takes"
    )
    parser.add_argument(
        "--tier",
        action="append",
        default=[],
        metavar="[CRM=]NAME",
        help="rate limits of a tier, as the CRM names it; may be repeated, once for each CRM",
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON object a line for each CRM, once it listens"
    )
    parser.add_argument("--no-bodies", action="store_true", help="keep no bodies in the ledger")
    return parser


def _port(text: str) -> int:
    """Read the first port; every CRM has one of its own, so some must follow it."""
    last = 65_536 - len(CRMS)
    if not text.isdecimal() or int(text) > last:
        raise argparse.ArgumentTypeError(f"give a number from 0 to {last}")
    return int(text)


def _settings(given: argparse.Namespace) -> dict[str, Any]:
    return {
        "seed": given.seed,
        "latency_seconds": given.latency,
        "limits": not given.no_limits,
        "ledger_bodies": not given.no_bodies,
    }


def _tiers(given: argparse.Namespace) -> dict[str, str]:
    """Return the chosen tiers by CRM; `SettingsError` says which there are."""
    served = list(dict.fromkeys(given.crm or CRMS))
    chosen: dict[str, str] = {}
    for text in given.tier:
        crm, _, tier = text.rpartition("=")
        if not crm and len(served) > 1:
            there = "; ".join(f"{name}: {', '.join(tiers_of(name))}" for name in served)
            raise SettingsError(f"--tier {text}: say whose, as CRM=NAME ({there})")
        crm = crm or served[0]
        if crm not in served:
            raise SettingsError(f"--tier {text}: there is no {crm} here, only {', '.join(served)}")
        if tier not in tiers_of(crm):
            raise SettingsError(f"--tier {text}: the tiers of {crm} are {', '.join(tiers_of(crm))}")
        if crm in chosen:
            raise SettingsError(f"--tier {text}: {crm} has one already, {chosen[crm]}")
        chosen[crm] = tier
    return chosen


if __name__ == "__main__":
    sys.exit(main())
