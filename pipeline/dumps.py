"""Dumps: named sets of input files, as the config gives them."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Dump(BaseModel):
    """One dump of a source.

    Attributes:
        id: Its name, e.g. ``CC-MAIN-2019-30``; of two dumps the greater name is the newer.
        paths: Globs, folders, files, or lists of paths (``*.paths.gz``), relative to ``data``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]


def rank_dumps(ids: Iterable[str]) -> dict[str, int]:
    """Rank dumps by their ids, the newest first.

    >>> rank_dumps(["2019-30", "2020-05", "2019-30"])
    {'2020-05': 0, '2019-30': 1}
    """
    return {name: rank for rank, name in enumerate(sorted(set(ids), reverse=True))}
