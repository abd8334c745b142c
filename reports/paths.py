"""Where a page lives. Ids come from strangers: a path is safe on every file system and never leaves the report."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from urllib.parse import quote

_SAFE = re.compile(r"[a-z0-9][a-z0-9._-]*(--[a-z0-9][a-z0-9._-]*)?")
# Names that some file systems keep for themselves.
_RESERVED = {"con", "prn", "aux", "nul", "index", *(f"com{n}" for n in range(10)), *(f"lpt{n}" for n in range(10))}
LONGEST = 120


@lru_cache(maxsize=32_768)  # the pages of devices link the same models again and again
def slug(identifier: str) -> str:
    """A file name for an id: `owner/name` -> `owner--name`. Different ids never share one, whatever the case.

    An id that is not plain lower case carries a short hash of itself.
    """
    plain = identifier.replace("/", "--", 1)
    is_safe = (
        _SAFE.fullmatch(plain) is not None
        and len(plain) <= LONGEST
        and not plain.endswith((".", "-"))
        and plain.split(".")[0] not in _RESERVED
        and "--" not in identifier
    )
    if is_safe:
        return plain
    readable = re.sub(r"[^a-z0-9._-]+", "-", plain.lower()).strip(".-")[: LONGEST - 20] or "x"
    return f"{readable}-~{hashlib.sha256(identifier.encode(errors='surrogatepass')).hexdigest()[:10]}"


def model_path(model_id: str) -> str:
    """Page of a model, relative to the report."""
    return f"models/{slug(model_id)}.html"


def device_path(gpu: str) -> str:
    """Page of a device, relative to the report."""
    return f"devices/{slug(gpu)}.html"


def compare_href(kind: str, *identifiers: str) -> str:
    """Address of a comparison, relative to the report: ids, so that it means the same in every night.

    kind: models | devices. compare.js writes and reads the same.
    """
    # what encodeURIComponent leaves as it is, and the slash that nearly every id has
    told = ",".join(quote(identifier, safe="/!'()*", errors="replace") for identifier in identifiers)
    return f"compare.html?{kind}={told}"
