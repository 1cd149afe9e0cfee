"""The plain script of HubSpot: hubspot-api-client as its documentation shows it.

Nothing is tuned and nothing switched off: it checks every value and makes models of the answers.
"""

from __future__ import annotations

from collections.abc import Sequence

from hubspot import HubSpot
from hubspot.crm.contacts import (
    BatchInputSimplePublicObjectBatchInput,
    SimplePublicObjectBatchInput,
)

from bench.children import Said
from bench.crms import HUBSPOT, TOKEN
from bench.figures import Figures
from bench.floor import BULKS, Row
from bench.script import Send, send_rows


def send_all(url: str, database: str, threads: int) -> tuple[Figures, Said]:
    """Send every row of the table."""
    return send_rows(lambda: sender(url), database, BULKS[HUBSPOT.name].records, threads)


def sender(url: str) -> Send:
    """Make a client of the CRM at this address."""
    api = HubSpot(access_token=TOKEN).crm.contacts.batch_api
    api.api_client.configuration.host = url

    def send(rows: Sequence[Row]) -> None:
        inputs = [
            SimplePublicObjectBatchInput(id=name, properties=dict(fields)) for name, fields in rows
        ]
        api.update(BatchInputSimplePublicObjectBatchInput(inputs=inputs))

    return send
