# SPDX-License-Identifier: Apache-2.0
"""The plugin's door: whatever a model's code raises leaves here as one of our errors.

Both the workers and the Python API go through it, so every loader behaves alike.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from modelkeep.loaders.base import Loader, LoadSpec, Model, Values
from modelkeep.spec.errors import BadInput, KeepError, LoadFailed, PredictFailed
from modelkeep.spec.tensor import Schema

_log = logging.getLogger(__name__)


def _told(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def load_with(loader: Loader, spec: LoadSpec) -> Guarded:
    """Let a loader load.

    Raises:
        KeepError: as the loader raised it.
        LoadFailed: for any other exception, with its type and text.
    """
    try:
        model = loader.load(spec)
        return Guarded(spec.name, model)
    except KeepError:
        raise
    except (Exception, SystemExit) as error:  # a plugin's door
        _log.warning("model %s did not load", spec.name, exc_info=True)
        expected = f"the loader {spec.loader} to load it"
        raise LoadFailed(f"model {spec.name}", expected, _told(error)) from error


class Guarded:
    """A model whose errors are ours.

    Attributes:
        schema: what the model declared when it was loaded.
    """

    def __init__(self, name: str, model: Model) -> None:
        self._name = name
        self._model = model
        self.schema: Schema = model.schema

    def predict(self, inputs: Values) -> Values:
        """Answer.

        Raises:
            BadInput: the model said so, or raised a ValueError.
            PredictFailed: any other exception, or an answer that is no mapping.
        """
        subject = f"model {self._name}"
        try:
            answer = self._model.predict(inputs)
        except KeepError:
            raise
        except ValueError as error:
            raise BadInput(subject, "inputs that it takes", str(error) or "ValueError") from error
        except (Exception, SystemExit) as error:  # a plugin's door
            _log.warning("model %s raised while it answered", self._name, exc_info=True)
            raise PredictFailed(subject, "an answer", _told(error)) from error
        if not isinstance(answer, Mapping) or not all(isinstance(key, str) for key in answer):
            expected = "a mapping of output names to values"
            raise PredictFailed(subject, expected, type(answer).__name__)
        return answer

    def close(self) -> None:
        """Close the model; what that raises is logged, since nobody can act on it."""
        try:
            self._model.close()
        except (Exception, SystemExit):  # a plugin's door
            _log.warning("model %s raised while it was closed", self._name, exc_info=True)
