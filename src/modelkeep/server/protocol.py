# SPDX-License-Identifier: Apache-2.0
"""Open Inference Protocol V2 messages, JSON form, to values and back. Pure.

The sections named below are those of the specification's inference_rest.md
and of Triton's extension_model_repository.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from modelkeep import __version__
from modelkeep.runtime.phases import SlotStatus, State
from modelkeep.runtime.served import Answer
from modelkeep.server.documents import BODY, show
from modelkeep.server.tensors import to_array, to_tensor
from modelkeep.spec.errors import BadInput
from modelkeep.spec.tensor import NUMPY_NAMES, TensorSpec

EXTENSIONS = ("model_repository",)
# These change what the bytes mean; to pass over them would give a wrong answer.
_NOT_TAKEN = ("binary_data_size", "classification", "shared_memory_region")
_REPOSITORY_STATES = {
    State.EMPTY: "UNAVAILABLE",
    State.FETCHING: "LOADING",
    State.LOADING: "LOADING",
    State.READY: "READY",
    State.DRAINING: "UNLOADING",
    State.FAILED: "UNAVAILABLE",
}


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a client wants inferred.

    Attributes:
        id: to be given back, or None.
        values: the inputs by name.
        outputs: the names wished, in that order; empty for all.
    """

    id: str | None
    values: dict[str, NDArray[Any]]
    outputs: tuple[str, ...]


def parse_infer(document: object) -> InferRequest:
    """An inference request ("Inference Request JSON Object").

    Raises:
        BadInput: another form, a name twice, data that its shape and datatype
            do not describe, or an extension that is not taken.
    """
    table = _table(BODY, document)
    _check_parameters(BODY, table)
    tag = table.get("id")
    if tag is not None and not isinstance(tag, str):
        raise BadInput(BODY, "id as a text", show(tag))
    inputs = [_parse_input(row) for row in _rows(table, "inputs", required=True)]
    outputs = [_parse_output(row) for row in _rows(table, "outputs", required=False)]
    _check_once("inputs", [name for name, _ in inputs])
    _check_once("outputs", outputs)
    return InferRequest(tag, dict(inputs), tuple(outputs))


def infer_response(request: InferRequest, answer: Answer) -> dict[str, Any]:
    """The answer to it ("Inference Response JSON Object").

    Raises:
        BadInput: a wished output that the model does not give, or one that this
            form cannot carry.
    """
    for name in request.outputs:
        if name not in answer.outputs:
            given = ", ".join(answer.outputs) or "no outputs"
            raise BadInput(f"outputs of {answer.model}", f"names among {given}", show(name))
    names: Iterable[str] = request.outputs or answer.outputs
    response: dict[str, Any] = {"model_name": answer.model}
    if answer.version:
        response["model_version"] = answer.version
    if request.id is not None:
        response["id"] = request.id
    response["outputs"] = [to_tensor(name, answer.outputs[name]) for name in names]
    return response


def server_metadata() -> dict[str, Any]:
    """Who answers ("Server Metadata Response JSON Object")."""
    return {"name": "modelkeep", "version": __version__, "extensions": list(EXTENSIONS)}


def model_metadata(slot: SlotStatus) -> dict[str, Any]:
    """What a model takes and gives ("Model Metadata Response JSON Object").

    Inputs and outputs are empty where a model declares none or is not loaded.
    """
    return {
        "name": slot.name,
        "versions": [slot.version] if slot.version else [],
        "platform": slot.schema.platform or slot.loader,
        "inputs": [_spec_row(spec) for spec in slot.schema.inputs],
        "outputs": [_spec_row(spec) for spec in slot.schema.outputs],
    }


def model_ready(slot: SlotStatus) -> dict[str, Any]:
    """Whether it is this very model that would answer, and now ("Model Ready")."""
    return {"name": slot.name, "ready": slot.state is State.READY}


def parse_index(document: object) -> bool:
    """Whether only ready models are asked for ("Index", request).

    Raises:
        BadInput: another form.
    """
    ready = _table(BODY, document).get("ready", False)
    if not isinstance(ready, bool):
        raise BadInput(BODY, "ready as true or false", show(ready))
    return ready


def repository_index(slots: Sequence[SlotStatus], only_ready: bool) -> list[dict[str, Any]]:
    """One row per slot ("Index", response)."""
    return [
        {
            "name": slot.name,
            "version": slot.version,
            "state": _REPOSITORY_STATES[slot.state],
            "reason": slot.reason,
        }
        for slot in slots
        if slot.state is State.READY or not only_ready
    ]


def parse_load(document: object) -> None:
    """A load request ("Load"): models.toml says how, so parameters cannot.

    Raises:
        BadInput: another form, or any parameter.
    """
    parameters = _table(BODY, _table(BODY, document).get("parameters", {}))
    if parameters:
        expected = "no parameters (models.toml says how a model is loaded)"
        raise BadInput(BODY, expected, show(sorted(parameters)))


def parse_unload(document: object) -> None:
    """An unload request ("Unload"); no model here has dependents.

    Raises:
        BadInput: another form.
    """
    _check_parameters(BODY, _table(BODY, document))


def _spec_row(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def _table(subject: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(subject, "a JSON object", show(value))
    return value


def _rows(table: dict[str, Any], key: str, *, required: bool) -> list[Any]:
    rows = table.get(key)
    if rows is None and not required:
        return []
    if not isinstance(rows, list):
        raise BadInput(BODY, f"{key} as a list", show(rows) if key in table else "none")
    return rows


def _name(subject: str, table: dict[str, Any]) -> str:
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise BadInput(subject, "a name", show(name))
    return name


def _parse_input(row: object) -> tuple[str, NDArray[Any]]:
    table = _table("input", row)
    name = _name("input", table)
    subject = f"input {name}"
    _check_parameters(subject, table)
    datatype = table.get("datatype")
    if not isinstance(datatype, str) or datatype not in NUMPY_NAMES:
        raise BadInput(subject, "a datatype of " + ", ".join(NUMPY_NAMES), show(datatype))
    if "data" not in table:
        raise BadInput(subject, "data", "none")
    shape = _parse_shape(subject, table.get("shape"))
    return name, to_array(TensorSpec(name, datatype, shape), table["data"])


def _parse_shape(subject: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(size) is int and size >= 0 for size in value):
        raise BadInput(subject, "a shape of whole numbers of 0 or more", show(value))
    return tuple(value)


def _parse_output(row: object) -> str:
    table = _table("output", row)
    name = _name("output", table)
    _check_parameters(f"output {name}", table)
    return name


def _check_parameters(subject: str, table: dict[str, Any]) -> None:
    parameters = _table(subject, table.get("parameters", {}))
    for key, value in parameters.items():
        if not isinstance(value, (str, int, float)):
            raise BadInput(subject, f"parameter {key} as a text, number or flag", show(value))
        if key in _NOT_TAKEN:
            raise BadInput(subject, "tensors whole and in JSON", f"parameter {key}")


def _check_once(key: str, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(BODY, f"each name once among {key}", f"{show(twice)} twice")
