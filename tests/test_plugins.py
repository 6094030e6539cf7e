# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from modelkeep import plugins
from modelkeep.spec.errors import InvalidValue

BUILT_IN = ("plain", "huggingface")


def install(folder: Path, package: str, entries: str, code: str = "class Made: ...\n") -> None:
    """A real distribution on the path, as an installer leaves it."""
    info = folder / f"{package}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(entries)
    (folder / f"{package}_code.py").write_text(code)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_plugin_is_found_by_group_and_name(site: Path) -> None:
    install(site, "one", "[modelkeep.layouts]\nshelf = one_code:Made\n")
    made = plugins.find("modelkeep.layouts", "shelf", BUILT_IN)
    assert isinstance(made, type)
    assert made.__name__ == "Made"


def test_the_same_name_in_another_group_is_not_found(site: Path) -> None:
    install(site, "two", "[modelkeep.sources]\nshelf = two_code:Made\n")
    with pytest.raises(InvalidValue):
        plugins.find("modelkeep.layouts", "shelf", BUILT_IN)


def test_an_unknown_name_is_refused_with_all_that_are_known(site: Path) -> None:
    install(site, "three", "[modelkeep.layouts]\nshelf = three_code:Made\nplain = x:y\n")
    with pytest.raises(InvalidValue) as caught:
        plugins.find("modelkeep.layouts", "drawer", BUILT_IN)
    assert str(caught.value) == "layout: expected one of plain, huggingface, shelf, got 'drawer'"


def test_two_packages_that_offer_one_name_are_refused(site: Path) -> None:
    for package in ("four", "five"):
        install(site, package, f"[modelkeep.loaders]\nshelf = {package}_code:Made\n")
    with pytest.raises(InvalidValue, match="2 packages that offer 'shelf'"):
        plugins.find("modelkeep.loaders", "shelf", BUILT_IN)


@pytest.mark.parametrize(
    ("package", "entry", "code"),
    [
        ("six", "six_code:Made", "raise RuntimeError('broken')"),
        ("seven", "seven_code:Missing", ""),
        ("eight", "no_such_module:Made", ""),
    ],
)
def test_a_plugin_that_does_not_import_is_named(
    site: Path, package: str, entry: str, code: str
) -> None:
    install(site, package, f"[modelkeep.sources]\nshelf = {entry}\n", code)
    with pytest.raises(
        InvalidValue, match="source shelf: expected a plugin that imports"
    ) as caught:
        plugins.find("modelkeep.sources", "shelf", BUILT_IN)
    assert caught.value.__cause__
