# SPDX-License-Identifier: Apache-2.0
"""The routes of the Open Inference Protocol V2 and of Triton's model repository extension."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from modelkeep.runtime.phases import SlotStatus
from modelkeep.server import protocol
from modelkeep.server.exchange import (
    DRAINING,
    find_slot,
    outcome,
    parsed,
    read_body,
    rendered,
    reply,
)
from modelkeep.server.service import Service
from modelkeep.spec.errors import NotReady

_MODEL = "/v2/models/{name}"
_VERSION = _MODEL + "/versions/{version}"
_REPOSITORY = "/v2/repository/models/{name}"


@dataclass(frozen=True, slots=True)
class OpenRoutes:
    """Handlers over one service."""

    service: Service
    max_body_bytes: int

    def routes(self) -> list[Route]:
        """What is answered here."""
        found = [
            Route("/v2", self.server),
            Route("/v2/health/live", self.live),
            Route("/v2/health/ready", self.ready),
            Route("/v2/repository/index", self.index, methods=["POST"]),
            Route(_REPOSITORY + "/load", self.load, methods=["POST"]),
            Route(_REPOSITORY + "/unload", self.unload, methods=["POST"]),
        ]
        for path in (_MODEL, _VERSION):
            found += [
                Route(path, self.model),
                Route(path + "/ready", self.model_ready),
                Route(path + "/infer", self.infer, methods=["POST"]),
            ]
        return found

    async def server(self, request: Request) -> Response:
        """Server metadata."""
        return reply(protocol.server_metadata())

    async def live(self, request: Request) -> Response:
        """The process answers."""
        return reply({"live": True})

    async def ready(self, request: Request) -> Response:
        """Whether requests may be sent."""
        ready = self.service.overview().ready and not request.scope.get(DRAINING)
        return reply({"ready": ready}, 200 if ready else 503)

    async def model(self, request: Request) -> Response:
        """Model metadata."""
        return reply(protocol.model_metadata(self._slot(request)))

    async def model_ready(self, request: Request) -> Response:
        """Whether this very model answers now."""
        document = protocol.model_ready(self._slot(request))
        return reply(document, 200 if document["ready"] else 503)

    async def infer(self, request: Request) -> Response:
        """Inference."""
        name = self._slot(request).name
        body = await read_body(request, self.max_body_bytes)
        wished = await parsed(body, protocol.parse_infer)
        answer = await outcome(f"model {name}", self.service.predict(name, wished.values))
        version = request.path_params.get("version", answer.version)
        if answer.version != version:
            # A fallback, or a swap in between: not what was asked for by version.
            got = f"one of {answer.model} {answer.version}".rstrip()
            raise NotReady(f"version {version} of model {name}", "its own answer", got)
        return await rendered(answer.outputs, lambda: protocol.infer_response(wished, answer))

    async def index(self, request: Request) -> Response:
        """Every model, or every ready one."""
        body = await read_body(request, self.max_body_bytes)
        only_ready = await parsed(body or b"{}", protocol.parse_index)
        return reply(protocol.repository_index(self.service.overview().slots, only_ready))

    async def load(self, request: Request) -> Response:
        """Load; answered when the model is ready."""
        name = self._slot(request).name
        body = await read_body(request, self.max_body_bytes)
        await parsed(body or b"{}", protocol.parse_load)
        await outcome(f"model {name}", self.service.load(name))
        return reply({})

    async def unload(self, request: Request) -> Response:
        """Unload; answered when the model is gone."""
        name = self._slot(request).name
        body = await read_body(request, self.max_body_bytes)
        await parsed(body or b"{}", protocol.parse_unload)
        await outcome(f"model {name}", self.service.unload(name))
        return reply({})

    def _slot(self, request: Request) -> SlotStatus:
        parameters = request.path_params
        return find_slot(self.service, parameters["name"], parameters.get("version"))
