"""A model on this machine: what a person wrote, told from an id, and what it is called.

A path is what begins with `./`, `../`, `/` or `~`, what ends in `.gguf` or `.safetensors`, and what is here and no
`owner/name`. Of the cache of huggingface_hub, a folder `models--owner--name` or one of its snapshots, name and revision
are those of the repository.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from flows.check_question import Unreadable
from flows.extract.info import clean
from flows.terminal import inert, note

WEIGHTS = (".gguf", ".safetensors")
_BEGINS = ("./", "../", "/", "~")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
_ID = re.compile(f"{_WORD.pattern}/{_WORD.pattern}")
_CACHED = re.compile(r"models--(.+)")
_REVISION = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class LocalModel:
    """A folder, or one file, and what to call it; `revision` is null outside the cache of huggingface_hub."""

    path: Path
    name: str
    revision: str | None = None

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.path if self.path.is_dir() else self.path.parent


def recognised(text: str) -> str | LocalModel:
    """A model of this machine, or the id that it is otherwise. Raises Unreadable for a path that leads nowhere."""
    is_path = text in (".", "..") or text.startswith(_BEGINS) or text.lower().endswith(WEIGHTS)
    is_here = text != "" and _is_here(Path(text))
    if not is_path and _ID.fullmatch(text):
        if is_here:
            note(f"{text} is taken for an id of the Hub; say ./{text} for the one in this folder")
        return text
    if not is_path and not is_here:
        return text
    if not is_path and _WORD.fullmatch(text):
        note(f"{text} is taken for what is in this folder; say --model {text} for the one of the Hub")
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # of a user that is not there
        path = Path(text)
    if not _is_here(path):
        hint = f"; for a repository of the Hub say --model {text}" if _ID.fullmatch(text) else ""
        raise Unreadable(f"{inert(text)}: no such file or folder{hint}")
    return _named(path)


def _is_here(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name too long, or with a null character, is none
        return False


def _named(path: Path) -> LocalModel:
    """The model with its name: that of its repository in the cache, else of its folder or file."""
    try:
        real = path.resolve()
    except (OSError, RuntimeError):  # links in a circle
        real = path.absolute()
    for place in (path.absolute(), real):
        if cached := _CACHED.fullmatch(place.name):
            place = _snapshot(place)
        else:
            cached = _CACHED.fullmatch(place.parent.parent.name) if place.parent.name == "snapshots" else None
        if cached:
            revision = place.name if _REVISION.fullmatch(place.name) else None
            return LocalModel(place, clean(cached[1].replace("--", "/")) or "model", revision)
    return LocalModel(path, clean(real.name if path.name in ("", "..") else path.name) or "model")


def _snapshot(place: Path) -> Path:
    """The snapshot of a repository in the cache that its branch main is at, else the latest."""
    try:
        main = (place / "refs" / "main").read_text(encoding="ascii").strip()
        if _REVISION.fullmatch(main) and (place / "snapshots" / main).is_dir():
            return place / "snapshots" / main
    except (OSError, ValueError):
        pass
    try:
        found = [one for one in (place / "snapshots").iterdir() if one.is_dir()]
    except OSError:
        found = []
    return max(found, key=lambda one: (one.stat().st_mtime, one.name), default=place)
