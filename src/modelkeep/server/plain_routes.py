# SPDX-License-Identifier: Apache-2.0
"""modelkeep's own routes: health, the models as they stand, predict."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modelkeep.runtime.phases import SlotStatus
from modelkeep.server.exchange import (
    DRAINING,
    find_slot,
    outcome,
    parsed,
    read_body,
    rendered,
    reply,
)
from modelkeep.server.plain import parse_predict, predict_response
from modelkeep.server.service import Service


@dataclass(frozen=True, slots=True)
class PlainRoutes:
    """Handlers over one service."""

    service: Service
    max_body_bytes: int

    def routes(self) -> list[Route]:
        """What is answered here."""
        return [
            Route("/health/live", self.live),
            Route("/health/ready", self.ready),
            Route("/v1/models", self.models),
            Route("/v1/models/{name}", self.model),
            Route("/v1/models/{name}/predict", self.predict, methods=["POST"]),
        ]

    async def live(self, request: Request) -> Response:
        """The process answers."""
        return reply({"live": True})

    async def ready(self, request: Request) -> Response:
        """Whether an orchestrator may send requests, and if not, why."""
        overview = self.service.overview()
        missing = list(overview.missing)
        if draining := bool(request.scope.get(DRAINING)):
            missing.append("the server is stopping")
        ready = overview.ready and not draining
        document = {"ready": ready, "phase": overview.phase, "missing": missing}
        return reply(document, 200 if ready else 503)

    async def models(self, request: Request) -> Response:
        """Every slot."""
        overview = self.service.overview()
        document = {
            "ready": overview.ready,
            "phase": overview.phase,
            "missing": list(overview.missing),
            "models": [_row(slot) for slot in overview.slots],
        }
        return reply(document)

    async def model(self, request: Request) -> Response:
        """One slot."""
        return reply(_row(find_slot(self.service, request.path_params["name"])))

    async def predict(self, request: Request) -> Response:
        """Named JSON values in, named JSON values out."""
        name = request.path_params["name"]
        find_slot(self.service, name)
        body = await read_body(request, self.max_body_bytes)
        values = await parsed(body, parse_predict)
        answer = await outcome(f"model {name}", self.service.predict(name, values))
        return await rendered(answer.outputs, lambda: predict_response(answer))


def _row(slot: SlotStatus) -> dict[str, object]:
    return asdict(slot)
