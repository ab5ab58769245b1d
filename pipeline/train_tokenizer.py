"""Training a tokenizer, or taking a given one, from files of documents: a run's sample, or anyone's files.

Each input is a source of its own, named by its last part. Files are read twice, the sizes of documents first: then each
source's part of the sample is drawn as in a run, by bytes of text. Of a run its own sample is read, which holds nothing
that the run holds out of training.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pipeline.document import Shard, utf8_size
from pipeline.files import is_local, join, match, write_bytes
from pipeline.funnel import has_run
from pipeline.inputs import list_shards
from pipeline.settings import SettingsError
from pipeline.tokenizer_stages import FERTILITY_BYTES, read_given_model
from pipeline.train_ngram import SUFFIXES, Reading, read_texts_of
from tokenizer.card import TokenizerCard
from tokenizer.drawing import draw_documents, first_bytes, sample_quotas
from tokenizer.folder import describe_tokenizer, first_texts, tokenizer_files
from tokenizer.settings import TokenizerSettings
from tokenizer.training import TrainedTokenizer, given_tokenizer, train_tokenizer

Progress = Callable[[str], object]
_SAMPLE = ".tokenizer_sample"


@dataclass(slots=True)
class Source:
    """An input.

    Attributes:
        name: What it is called on the card.
        files: Its files.
        sizes: UTF-8 bytes of each of its documents, once they were read.
        taken: Bytes to take of each document of the sample, by its place.
    """

    name: str
    files: list[Shard]
    sizes: list[int] = field(default_factory=list)
    taken: dict[int, int] = field(default_factory=dict)

    def texts(self, reading: Reading, progress: Progress) -> Iterator[str]:
        """Read its documents; one with a lone surrogate, which has no UTF-8 form, is unreadable."""
        for text in read_texts_of(self.files, None, reading, progress):
            if _is_unicode(text):
                yield text
            else:
                reading.documents -= 1
                reading.fault(self.name, "a document holds a lone surrogate, which has no UTF-8 form")

    def sample(self) -> Iterator[str]:
        """Read the documents of the sample, cut where they are to be cut."""
        for place, text in enumerate(self.texts(Reading(), lambda _: None)):
            if place in self.taken:
                yield first_bytes(text, self.taken[place])


def make_tokenizer(
    inputs: Sequence[str], output: str, settings: TokenizerSettings, progress: Progress
) -> tuple[TokenizerCard, Reading]:
    """Train a tokenizer on files, or take the given one and measure it on them, and write its folder.

    Args:
        inputs: Files, globs, folders and run folders.
        output: The tokenizer's folder.
        settings: How to train, or which model is given.
        progress: Called with what is being done.

    Returns:
        The card, and what was read.

    Raises:
        SettingsError: There is no input, proportions of another one, no text to train on, a vocabulary too small, or a
            model that does not fit.
    """
    given = None if settings.model is None else read_given_model(settings.model)
    reading = Reading()
    sources = list_sources(inputs, reading)
    _check_names(settings.proportions or {}, sources)
    for source in sources:
        source.sizes = [utf8_size(text) for text in source.texts(reading, progress)]
    left_over = _draw(sources, settings)
    progress("training" if given is None else "measuring")
    trained = _train(sources, settings, left_over=left_over) if given is None else _given(given, settings, sources)
    card = describe_tokenizer(
        trained,
        {source.name: first_texts(source.sample(), FERTILITY_BYTES) for source in sources},
        sample_bytes_by_source={source.name: sum(source.taken.values()) for source in sources},
        proportions=settings.proportions,
    )
    for name, content in tokenizer_files(trained, card).items():
        write_bytes(join(output, name), content)
    return card, reading


def list_sources(inputs: Sequence[str], reading: Reading) -> list[Source]:
    """List the inputs as sources, those of one name together; a file that is given twice is taken once.

    Raises:
        SettingsError: An input is not there, or none of its files can be read.
    """
    sources: dict[str, Source] = {}
    taken: set[str] = set()
    for path in inputs:
        for name, files in _files_of(path, reading).items():
            source = sources.setdefault(name, Source(name, []))
            for file in files:
                place = os.path.realpath(file.path) if is_local(file.path) else file.path
                if place not in taken:
                    source.files.append(file)
                    taken.add(place)
    return list(sources.values())


def _check_names(proportions: Mapping[str, float], sources: Sequence[Source]) -> None:
    names = [source.name for source in sources]
    for name in proportions:
        if name not in names:
            raise SettingsError(f"proportions.{name}: no such input; there are {', '.join(names)}")


def _files_of(path: str, reading: Reading) -> Mapping[str, list[Shard]]:
    if is_local(path) and os.path.isdir(path) and has_run(path):
        return _sample_of(path)
    found = list_shards("tokenizer", "", [path], data=os.getcwd(), key="INPUT")
    files = [file for file in found if file.path.endswith(SUFFIXES)]
    reading.other_files += len(found) - len(files)
    if not files:
        raise SettingsError(f"INPUT: none of {len(found)} files of {path} ends in {', '.join(SUFFIXES)}")
    name = os.path.basename(path.rstrip("/")) or path
    return {name: files}


def _sample_of(run: str) -> dict[str, list[Shard]]:
    """List the files of a run's sample, by source."""
    found = sorted(
        (file.path, file.size_in_bytes) for file in match(join(run, "work", f"*{_SAMPLE}", "part-*.parquet"))
    )
    if not found:
        raise SettingsError(f"{run}: the run has drawn no sample for a tokenizer; give documents of it instead")
    sources: dict[str, list[Shard]] = {}
    for path, size in found:
        name = os.path.basename(os.path.dirname(path)).removesuffix(_SAMPLE)
        sources.setdefault(name, []).append(Shard("tokenizer", os.path.basename(path), path, size, ""))
    return sources


def _draw(sources: Sequence[Source], settings: TokenizerSettings) -> bool:
    """Choose the documents of the sample, and say whether text is left over."""
    text_bytes = {source.name: sum(source.sizes) for source in sources}
    quotas = sample_quotas(text_bytes, settings.proportions, settings.sample_bytes)
    for source in sources:
        names = [f"{source.name}/{place}" for place in range(len(source.sizes))]
        source.taken = draw_documents(names, source.sizes, quotas[source.name], settings.seed)
    return sum(quotas.values()) < sum(text_bytes.values())


def _train(sources: Sequence[Source], settings: TokenizerSettings, *, left_over: bool) -> TrainedTokenizer:
    try:
        trained = train_tokenizer((text for source in sources for text in source.sample()), settings)
    except ValueError as error:
        raise SettingsError(f"INPUT: {error}") from error
    return replace(trained, sample_full=left_over)


def _given(model: bytes, settings: TokenizerSettings, sources: Sequence[Source]) -> TrainedTokenizer:
    named = TokenizerSettings(model=os.path.basename(str(settings.model)), seed=settings.seed)
    return given_tokenizer(model, named, documents=sum(len(source.taken) for source in sources))


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
