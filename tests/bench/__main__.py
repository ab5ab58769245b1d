"""The benchmark: ``make bench``, or ``python -m tests.bench [NAME ...] [--data DIR] [--quick]``."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator

from rich.console import Console

from tests.bench import (
    against_ngram,
    arxiv,
    book_dedup,
    books,
    c4,
    checkpointing,
    code,
    compiling,
    corpora,
    crawl,
    crawl_path,
    data,
    decontamination,
    dedup,
    github,
    latex,
    perplexity,
    reference,
    side_by_side,
    stackexchange,
    stages,
    text_sources,
    tokens,
    training,
    whole,
    wikitext,
)
from tests.bench.inputs import Inputs, find_data
from tests.bench.report import Result, print_results, write_results

_OUTPUT = os.path.join("build", "bench.json")
_WIDTH = 160  # characters of a table that no terminal shows

#: What can be asked for by name, in the order it is run.
BENCHMARKS: dict[str, Callable[[Inputs], Iterator[Result]]] = {
    "commoncrawl.read": crawl.read_wet,
    "commoncrawl.html": crawl.read_html,
    "commoncrawl.language": crawl.identify_language,
    "commoncrawl.perplexity_normalize": perplexity.normalize,
    "commoncrawl.perplexity": perplexity.score,
    "commoncrawl.reference": reference.reference,
    "commoncrawl.whole_path": crawl_path.run_whole_path,
    "c4.read": c4.read_published,
    "c4.clean": c4.clean_pages,
    "c4.language": c4.identify_language,
    "c4.bad_words": c4.find_bad_words,
    "wikipedia.wikitext": wikitext.convert,
    "documents.parquet": crawl.write_parquet,
    "line_dedup.fingerprint": dedup.fingerprint,
    "line_dedup.stages": dedup.deduplicate,
    "books.clean": books.clean,
    "books.signatures": book_dedup.sketch,
    "books.dedup": book_dedup.deduplicate,
    "github.clean": code.clean,
    "stackexchange.html": stackexchange.convert_html,
    "stackexchange.documents": stackexchange.join,
    "arxiv.papers": arxiv.read_papers,
    "github.dedup": github.deduplicate,
    "arxiv.latex": latex.clean,
    "corpora.read": corpora.read,
    "decontamination.search": decontamination.search,
    "decontamination.share": decontamination.share,
    "tokens.encode": tokens.encode,
    "tokens.windows": tokens.read_windows,
    "wikipedia.scaling": text_sources.scale_wikipedia,
    "stackexchange.scaling": text_sources.scale_stackexchange,
    "books.scaling": text_sources.scale_books,
    "arxiv.scaling": arxiv.scale,
    "github.scaling": text_sources.scale_github,
    "run.scaling": whole.scale,
    "run.side_by_side": side_by_side.compare_orders,
    "run.memory": whole.measure_memory,
    "run.stages": stages.measure,
    "train": training.train,
    "train.data": data.load,
    "train.checkpoint": checkpointing.save_and_restore,
    "train.ngram": against_ngram.compare,
    "train.compile": compiling.compile_ahead,
}


def main() -> None:
    """Run the benchmarks asked for, print a table and write the figures."""
    arguments = _parse()
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    os.makedirs(os.path.dirname(_OUTPUT), exist_ok=True)
    results: list[Result] = []
    with tempfile.TemporaryDirectory(dir=os.path.dirname(_OUTPUT), prefix="bench-") as folder:
        inputs = Inputs(arguments.data, os.path.abspath(folder), quick=arguments.quick)
        for name in arguments.names or BENCHMARKS:
            with console.status(name):
                results += BENCHMARKS[name](inputs)
    print_results(results, console, _title(arguments))
    write_results(results, _OUTPUT)
    console.print(f"written: {_OUTPUT}", highlight=False)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--data", default=find_data(), help="a folder with real inputs (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="small inputs and fewer runs of the whole recipe")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    return arguments


def _title(arguments: argparse.Namespace) -> str:
    load = f", load {os.getloadavg()[0]:.1f} before the end" if hasattr(os, "getloadavg") else ""
    size = "quick" if arguments.quick else "full"
    return f"{size}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}{load}"


if __name__ == "__main__":
    main()
