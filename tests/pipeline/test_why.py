"""The fate of a document, by id or URL."""

from pathlib import Path

from pipeline.batch import Batch
from pipeline.document import Document, Dropped
from pipeline.why import fates
from pipeline.writing import Outputs, write_batch


def run_folder(folder: Path) -> str:
    for index, (kept, left) in enumerate(
        [
            (["cc/1", "cc/2"], [Dropped("cc/3", "http://three", "length/too_short", 299, 300, "text")]),
            (
                ["cc/4"],
                [
                    Dropped("cc/1", "http://1", "duplicate/id"),
                    Dropped("cc/5", "", "language/low_score", 0.25, 0.5),
                    Dropped("cc/6", "", "perplexity/no_cutoff", 512.5),
                    Dropped("cc/7", "", "a/copy", 0.95, 0.9, detail="overlaps cc/2"),
                ],
            ),
        ]
    ):
        batch = Batch("s", index, read=len(kept) + len(left), dropped=left)
        batch.documents = [Document(name, "commoncrawl", "t", url=name.replace("cc/", "http://")) for name in kept]
        write_batch(batch, Outputs(str(folder), "cc.scored", "commoncrawl", "documents/commoncrawl"))
    return str(folder)


def test_a_kept_document_is_found_by_id_with_its_file(tmp_path: Path) -> None:
    run = run_folder(tmp_path)
    kept = f"{run}/documents/commoncrawl/part-s-00000.parquet"
    assert list(fates(run, "cc/2")) == [f"cc/2 (http://2): kept, in {kept}"]


def test_a_document_is_found_by_its_url(tmp_path: Path) -> None:
    run = run_folder(tmp_path)
    left = f"{run}/dropped/commoncrawl/part-cc.scored-s-00000.parquet"
    assert list(fates(run, "http://three")) == [
        f"cc/3 (http://three): left out by cc.scored: length/too_short, measured 299, limit 300, in {left}"
    ]


def test_the_copy_that_was_kept_is_told_before_the_one_that_was_not(tmp_path: Path) -> None:
    run = run_folder(tmp_path)
    first, second = fates(run, "cc/1")
    assert first.startswith("cc/1 (http://1): kept, in ")
    assert second.startswith("cc/1 (http://1): left out by cc.scored: duplicate/id, in ")


def test_measure_and_limit_are_told_where_there_are_any(tmp_path: Path) -> None:
    (line,) = fates(run_folder(tmp_path), "cc/5")
    assert "language/low_score, measured 0.25, limit 0.5, in " in line
    (line,) = fates(run_folder(tmp_path), "cc/6")
    assert "perplexity/no_cutoff, measured 512.5, in " in line


def test_what_no_record_is_called_has_no_fate(tmp_path: Path) -> None:
    run = run_folder(tmp_path)
    assert list(fates(run, "cc/")) == []
    assert list(fates(run, "CC/1")) == []
    assert list(fates(str(tmp_path / "nowhere"), "cc/1")) == []


def test_what_a_number_cannot_say_is_told_too(tmp_path: Path) -> None:
    (line,) = fates(run_folder(tmp_path), "cc/7")
    assert ": a/copy, measured 0.95, limit 0.9, overlaps cc/2, in " in line
