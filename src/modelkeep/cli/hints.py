# SPDX-License-Identifier: Apache-2.0
"""What to try after each error. Pure."""

from __future__ import annotations

from modelkeep.spec import errors

# The first class that fits wins, so the special ones stand before the general.
_HINTS: tuple[tuple[type[errors.KeepError], str], ...] = (
    (errors.StaleLock, "modelkeep lock"),
    (errors.UnknownModel, "modelkeep list"),
    (errors.DigestMismatch, "modelkeep lock --upgrade, if you trust the new bytes"),
    (
        errors.ForbiddenFormat,
        "leave them out in models.toml, or give the permission if you trust their author",
    ),
    (errors.NotFound, "look at the source's name, revision and files in models.toml"),
    (errors.AccessDenied, "set HF_TOKEN, or the index's credentials in pip's settings or ~/.netrc"),
    (
        errors.Offline,
        "unset MODELKEEP_OFFLINE, or sync where there is a network",
    ),
    (errors.ForbiddenAddress, "name the host in fetch.private_hosts, if it is yours"),
    (errors.Unreachable, "look at the network, HTTPS_PROXY and the source's address"),
    (errors.DamagedStore, "modelkeep verify --repair"),
    (errors.NoRoom, "free some room, or raise store.max_size"),
    (errors.ReadOnlyStore, "choose a folder that you may write to with --store or MODELKEEP_HOME"),
    (errors.BadInput, "look at the inputs that `modelkeep status` names"),
    (errors.NotReady, "modelkeep status"),
    (errors.InvalidDocument, "mend that file; docs/models-toml.md has every key"),
)


def hint(error: errors.KeepError) -> str:
    """What to try, or an empty text where nothing general can be said."""
    if isinstance(error, errors.MissingFile):
        return f"modelkeep sync {error.model}"
    if isinstance(error, errors.MissingExtra):
        return f"pip install 'modelkeep[{error.extra}]'"
    if isinstance(error, errors.InvalidDocument):
        if error.path == "models.toml" and error.got.startswith("no such file"):
            return "modelkeep init"
        if error.path == "models.lock":
            return "modelkeep lock"
    return next((text for kind, text in _HINTS if isinstance(error, kind)), "")
