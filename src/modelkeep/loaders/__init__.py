# SPDX-License-Identifier: Apache-2.0
"""Loaders by name: each turns a presented folder into a model that answers.

Nothing heavy is imported before a loader is asked to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import cast

from modelkeep import plugins
from modelkeep.loaders.base import Loader, LoadSpec
from modelkeep.loaders.guarded import Guarded, load_with
from modelkeep.spec.errors import InvalidValue

_BUILT_IN = {
    "mock": ("modelkeep.loaders.mock", "MockLoader"),
    "onnx": ("modelkeep.loaders.onnx", "OnnxLoader"),
    "python": ("modelkeep.loaders.python", "PythonLoader"),
    "sentence-transformers": (
        "modelkeep.loaders.sentence_transformers",
        "SentenceTransformersLoader",
    ),
}
NAMES = tuple(sorted(_BUILT_IN))


def find(name: str) -> Loader:
    """The loader of that name: a built-in, else the entry point of a package.

    A package's entry point may name a class, which is called without
    arguments, or a loader that is there already.

    Raises:
        InvalidValue: there is none, or the package's is no loader.
    """
    place = _BUILT_IN.get(name)
    if place is not None:
        module, class_name = place
        return cast(Loader, getattr(import_module(module), class_name)())
    found = plugins.find("modelkeep.loaders", name, NAMES)
    loader = _made(name, found) if isinstance(found, type) else found
    for method in ("weigh", "load"):
        if not callable(getattr(loader, method, None)):
            expected = "an object with the methods weigh and load"
            raise InvalidValue(f"loader {name}", expected, f"{loader!r}")
    return cast(Loader, loader)


def _made(name: str, plugin: type) -> object:
    try:
        return plugin()
    except Exception as error:  # a plugin's door: its constructor may raise anything
        expected = "a class made without arguments"
        raise InvalidValue(f"loader {name}", expected, repr(error)) from error


def load(spec: LoadSpec) -> Guarded:
    """Load a model in this process; what it raises is one of ours.

    Raises:
        InvalidValue: no loader has that name.
        MissingExtra: the loader's framework is not installed.
        ForbiddenFormat: pickle or code without permission.
        LoadFailed: anything else that the loader raised.
    """
    return load_with(find(spec.loader), spec)
