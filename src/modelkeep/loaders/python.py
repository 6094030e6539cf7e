# SPDX-License-Identifier: Apache-2.0
"""A class of the project's own, for models that need code around their weights.

Option ``class`` is ``module:Class``; every other option is a keyword of its
constructor. The class has ``load(folder)`` and ``predict(inputs)``, and may
have ``close()`` and the lists ``inputs`` and ``outputs`` of (name, datatype,
shape); what it declares is converted and checked on the way in and out.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from modelkeep.loaders import formats, options
from modelkeep.loaders.base import LoadSpec, Values
from modelkeep.spec.errors import LoadFailed
from modelkeep.spec.tensor import Schema


class PythonLoader:
    """Loads a class that knows how to load the folder."""

    def weigh(self, spec: LoadSpec) -> int:
        """Bytes of the whole folder."""
        return formats.size_of(spec.folder)

    def load(self, spec: LoadSpec) -> PythonModel:
        """Import the class, make it, let it load.

        Raises:
            LoadFailed: the class is not there, or has no ``load`` and ``predict``.
            Exception: whatever it raises itself; the caller reports it.
        """
        made = _class_of(spec)
        keywords = {key: value for key, value in spec.options.items() if key != "class"}
        thing = made(**keywords)
        for method in ("load", "predict"):
            if not callable(getattr(thing, method, None)):
                got = f"{made.__qualname__} without it"
                raise LoadFailed(f"model {spec.name}", f"a class with the method {method}", got)
        thing.load(spec.folder)
        return PythonModel(spec.name, thing)


class PythonModel:
    """A loaded object of the project's class."""

    def __init__(self, name: str, thing: Any) -> None:
        self._thing = thing
        # Read after load: a class may know its shapes only then.
        self.schema = Schema(
            options.tensors(f"model {name}: inputs", getattr(thing, "inputs", ())),
            options.tensors(f"model {name}: outputs", getattr(thing, "outputs", ())),
            "python",
        )

    def predict(self, inputs: Values) -> Values:
        """Ask the object.

        Raises:
            BadInput: an input is not as the class declares it.
            PredictFailed: an output is not.
            Exception: whatever the object raises; the caller reports it.
        """
        given: Any = dict(inputs)
        if self.schema.inputs:
            from modelkeep.loaders.values import inputs_of

            given = inputs_of(inputs, self.schema.inputs)
        answer: Values = self._thing.predict(given)
        if self.schema.outputs and isinstance(answer, Mapping):
            from modelkeep.loaders.values import outputs_of

            return outputs_of(answer, self.schema.outputs)
        return answer

    def close(self) -> None:
        """Close the object, where it can be closed."""
        close = getattr(self._thing, "close", None)
        if callable(close):
            close()


def _class_of(spec: LoadSpec) -> Any:
    subject = f"model {spec.name}: option class"
    named = options.text(spec, "class") or ""
    module_name, colon, class_name = named.partition(":")
    if not (module_name and colon and class_name.isidentifier()):
        raise LoadFailed(subject, "module:Class", repr(spec.options.get("class")))
    if spec.code_folder is not None and str(spec.code_folder) not in sys.path:
        sys.path.insert(0, str(spec.code_folder))
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        # The module itself, not something that it imports.
        if not f"{module_name}.".startswith(f"{error.name}."):
            raise
        place = f"in {spec.code_folder} or installed" if spec.code_folder else "installed"
        raise LoadFailed(subject, f"a module {module_name} {place}", "it is not there") from error
    made = getattr(module, class_name, None)
    if not callable(made):
        raise LoadFailed(subject, f"a class {class_name} in {module_name}", repr(made))
    return made
