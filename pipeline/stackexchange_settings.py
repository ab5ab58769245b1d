"""Settings of StackExchange: the dumps, which sites of them, and how a question and its answers become a document."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

#: The name of a site, which is its host.
SITE = r"^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*\.[a-z]{2,}$"


def check_site(site: str) -> str:
    """Give a site back, or refuse what is none.

    Raises:
        ValueError: It is no host in small letters.
    """
    if not re.fullmatch(SITE, site):
        raise ValueError(f"{site!r} is no site, such as beer.stackexchange.com")
    return site


class StackExchangeDump(BaseModel):
    """Files of one dump.

    Attributes:
        id: The dump's name, e.g. ``2023-03``; of two dumps of a site the greater name is the newer.
        paths: Globs, folders or files, relative to ``data``: ``<site>.7z``, ``<site>-Posts.7z`` or
            ``<site>/Posts.xml``. Other files of a dump are left out.
        site: The site, where file and folder do not tell: ``beer.stackexchange.com``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    site: str | None = None

    @field_validator("site")
    @classmethod
    def _is_site(cls, site: str | None) -> str | None:
        return site if site is None else check_site(site)


class StackExchangeLimits(BaseModel):
    """What must fit into memory.

    Attributes:
        max_row_bytes: Longest row of ``Posts.xml``; a longer one is an error.
        max_question_bytes: UTF-8 bytes of the posts of one question, its answers included, as raw HTML; a question
            with more is dropped.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_row_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30)] = 16 << 20
    max_question_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30)] = 64 << 20


class StackExchangeSettings(BaseModel):
    """StackExchange, of which LLaMA took the 28 largest sites (Touvron et al., 2023, section 2.1).

    Attributes:
        dumps: The dumps; a file holds one site.
        sites: Which sites to read: a list of them, or the file that ``llama-corpus rank-sites`` wrote, relative to
            ``data``; ``null`` reads all that are found.
        question_marker: Stands before a question's title. Paper and code of LLaMA name none; ``"Q: "`` and ``"A: "``
            are RedPajama-v1's, and after the pattern of The Pile's. Empty for none.
        answer_marker: Stands before each answer.
        min_answer_score: Answers with a lower score are left out; ``null`` keeps all, as LLaMA names no limit.
        partition_bytes: Questions and answers meet in partitions of some so many bytes of ``Posts.xml``.
        split_bytes: A ``Posts.xml`` that is not in an archive is read in ranges of that many bytes.
        limits: What must fit into memory.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dumps: Annotated[tuple[StackExchangeDump, ...], Field(min_length=1)]
    sites: str | tuple[str, ...] | None = None
    question_marker: str = "Q: "
    answer_marker: str = "A: "
    min_answer_score: int | None = None
    partition_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30)] = 64 << 20
    split_bytes: Annotated[int, Field(ge=1 << 10)] = 256 << 20
    limits: StackExchangeLimits = StackExchangeLimits()

    @field_validator("sites")
    @classmethod
    def _are_sites(cls, sites: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if sites is not None and not sites:
            raise ValueError("an empty list; null reads all sites")
        for site in sites if isinstance(sites, tuple) else ():
            check_site(site)
        return sites

    @model_validator(mode="after")
    def _text_can_be_written(self) -> "StackExchangeSettings":
        for name in ("question_marker", "answer_marker"):
            if not getattr(self, name).isprintable():
                raise ValueError(f"{name}: must be printable characters on one line")
        return self
