"""Settings of arXiv: its dumps, what an e-print may hold, and how a paper is cleaned."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from filters.latex import LatexSettings


class ArxivDump(BaseModel):
    """E-prints of one time.

    Attributes:
        id: Its name, e.g. ``2024-01``; of a paper in several dumps that of the greatest name stays.
        paths: Globs, folders, files, or lists of paths, relative to ``data``: bulk tars as arXiv's bucket has them
            (``arXiv_src_2401_001.tar``), single e-prints (``2004.14974.gz``, ``.tar.gz``, ``.tgz``, ``.pdf``) and TeX
            files that are a paper each (``.tex``, ``.ltx``, ``.latex``). Files of other kinds are passed over, and the
            run says how many.
        folders: Whether each folder right below an entry is a paper with its files as they lie; files that lie in none
            are passed over.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    folders: bool = False


class ArxivLimits(BaseModel):
    """What an e-print may hold.

    Attributes:
        max_eprint_bytes: Most bytes of an e-print, pictures and all, once decompressed; they are read and not held.
        max_tex_bytes: Most bytes of its TeX files, which are held.
        max_files: Most members of an e-print's tar.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_eprint_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 40)] = 1 << 30
    max_tex_bytes: Annotated[int, Field(ge=1 << 10, le=1 << 30)] = 32 << 20
    max_files: Annotated[int, Field(ge=1)] = 20_000


class ArxivSettings(BaseModel):
    """arXiv's papers in LaTeX (Touvron et al., 2023, section 2.1).

    Attributes:
        dumps: Where they come from.
        latex: How a paper is cleaned.
        min_chars: A cleaned paper with fewer characters is left out. The paper names no limit; ``null`` keeps all.
        limits: What an e-print may hold.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dumps: Annotated[tuple[ArxivDump, ...], Field(min_length=1)]
    latex: LatexSettings = LatexSettings()
    min_chars: Annotated[int, Field(ge=1)] | None = 500
    limits: ArxivLimits = ArxivLimits()

    @model_validator(mode="after")
    def _ids_differ(self) -> "ArxivSettings":
        names = [dump.id for dump in self.dumps]
        if len(set(names)) < len(names):
            raise ValueError(f"dumps must have different ids, not {names}")
        return self
