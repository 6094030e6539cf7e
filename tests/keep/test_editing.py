# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import tomllib

import pytest

from modelkeep.keep.editing import STARTER, add_model, default_name, remove_models
from modelkeep.spec.errors import InvalidValue, UnknownModel
from modelkeep.spec.uri import SourceUri

APART = """\
# top
[models.a]   # first
source = "file:a"

[profiles.dev.models.a]
enabled = false

[models.b]
source = "file:b"  # why

[settings.store]
max_size = "1GB"
"""


@pytest.mark.parametrize("text", ["", STARTER, "[models]\n", "models.a.source = 'x'\n", APART])
def test_a_model_is_added_and_everything_else_stays(text: str) -> None:
    after = add_model(text, "n", {"source": "file:n", "files": ["x", "y"], "loader": None})
    assert after.startswith(text.rstrip())
    before = tomllib.loads(text)
    found = tomllib.loads(after)
    assert found["models"].pop("n") == {"source": "file:n", "files": ["x", "y"]}
    before.setdefault("models", {})
    assert found == before


def test_a_name_that_is_taken_and_a_text_that_takes_no_table_are_refused() -> None:
    with pytest.raises(InvalidValue, match="one it has"):
        add_model(APART, "a", {"source": "file:x"})
    with pytest.raises(InvalidValue, match=r"\[models\.NAME\]"):
        add_model("models = { a = { source = 'x' } }\n", "n", {"source": "file:n"})
    with pytest.raises(InvalidValue, match="TOML"):
        add_model("models = ", "n", {"source": "file:n"})


@pytest.mark.parametrize("names", [["a"], ["b"], ["a", "b"], ["b", "a"]])
def test_models_are_removed_with_their_overrides_and_comments_stay(names: list[str]) -> None:
    after = remove_models(APART, names)
    found = tomllib.loads(after)
    assert set(found.get("models", {})) == {"a", "b"} - set(names)
    assert ("a" in str(found.get("profiles", {}))) is ("a" not in names)
    assert found["settings"] == {"store": {"max_size": "1GB"}}
    assert after.startswith("# top")
    with pytest.raises(UnknownModel, match="a, b"):
        remove_models(APART, ["nobody"])


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("hf:org/All-MiniLM.v2", "all-minilm.v2"),
        ("pypi:magika==1.0.3/magika/models", "magika"),
        ("https://h.example/a/face%20new.onnx?download=1", "face-20new"),
        ("https://h.example/weights", "weights"),
        ("file:../weights/", "weights"),
    ],
)
def test_a_name_is_made_from_the_source(source: str, name: str) -> None:
    assert default_name(SourceUri.parse(source)) == name
