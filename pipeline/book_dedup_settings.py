"""Settings of book deduplication: how much two books may have in common, and how pairs that do are found."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from filters.book_sketch import SketchShape


class BookDedupSettings(BaseModel):
    """Which books go as near-duplicates of others.

    Another ``max_overlap`` decides anew from the overlaps measured before; all else measures some of them again.

    Attributes:
        max_overlap: Of a book's distinct shingles, the share that a book with as many or more may have too; above it,
            the book goes. 0.9 is the paper's.
        shingle_words: Words of a shingle.
        shingle_chars: Characters of a shingle, in scripts that set no spaces between words. With 8, the halves of a
            Japanese novel share 0.01, as unlike English books do with five words.
        sample_every: One in this many of all possible shingles is compared between all books. More make shorter books
            found, of 99 in 100 pairs over ``max_overlap``: texts of 170 shingles at 32, of 85 at 16.
        bands: Bands of the MinHash signature. Of two texts with Jaccard similarity J, ``1 - (1 - J^rows)^bands`` are
            found by it.
        rows: Values of a band.
        candidate_overlap: Of pairs with at least this overlap, 99 % are measured, and of others the fewer the less
            they overlap. At most ``max_overlap``.
        max_books_per_shingle: A shingle, or band, that more books have (a publisher's front matter) is taken for none
            of what they have in common, but between each and the largest, one for each eight allowed.
        max_shuffle_bytes: Bytes of sampled shingles that cross the shuffle at once, 12 each; more are taken in several
            passes, each resumable. ``null`` takes all in one, as a cluster can.
        seed: Of the signature's permutations.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_overlap: Annotated[float, Field(gt=0, lt=1)] = 0.9
    shingle_words: Annotated[int, Field(ge=1, le=100)] = 5
    shingle_chars: Annotated[int, Field(ge=1, le=1000)] = 8
    sample_every: Annotated[int, Field(ge=1, le=1 << 20)] = 32
    bands: Annotated[int, Field(ge=1, le=1000)] = 21
    rows: Annotated[int, Field(ge=1, le=1000)] = 6
    candidate_overlap: Annotated[float, Field(gt=0, lt=1)] = 0.8
    max_books_per_shingle: Annotated[int, Field(ge=2, le=1000)] = 32
    max_shuffle_bytes: Annotated[int, Field(ge=1 << 20)] | None = 256 << 20
    seed: Annotated[int, Field(ge=0, lt=1 << 32)] = 1

    @model_validator(mode="after")
    def _removed_are_candidates(self) -> "BookDedupSettings":
        if self.candidate_overlap > self.max_overlap:
            raise ValueError(
                f"candidate_overlap must be at most max_overlap ({self.max_overlap:g}), else pairs between them go "
                f"unmeasured; it is {self.candidate_overlap:g}"
            )
        return self

    @property
    def shape(self) -> SketchShape:
        """How books are sketched."""
        return SketchShape(self.sample_every, self.bands, self.rows, self.seed)

    def sketching(self) -> dict[str, int]:
        """Give the settings that sketches depend on."""
        names = ("shingle_words", "shingle_chars", "sample_every", "bands", "rows", "seed")
        return {name: getattr(self, name) for name in names}
