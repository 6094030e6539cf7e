# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from modelkeep.store.tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path / "store")
    tree.prepare()
    return tree
