"""What C4's rules ask for beside pages: the list of bad words, and what identifies the language."""

import functools
import hashlib
from collections.abc import Callable
from typing import Any

from filters.bad_words import read_words
from filters.c4_language import Detector
from pipeline.c4_settings import C4Settings
from pipeline.files import join, read_bytes, write_bytes, write_json
from pipeline.inputs import below
from pipeline.language_model import read_language_model
from pipeline.run import Run
from pipeline.settings import SettingsError
from pipeline.sources import c4_steps as steps
from pipeline.steps import ScoreAll

_KEY = "sources.c4"


def bad_words(settings: C4Settings, data: str) -> bytes | None:
    """Read the list of bad words, if one is given.

    Raises:
        SettingsError: It cannot be read, or holds no word.
    """
    if settings.bad_words is None:
        return None
    path = below(settings.bad_words, data)
    try:
        content = read_bytes(path)
        read_words(content)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise SettingsError(f"{_KEY}.bad_words: {reason}: {path}") from error
    return content


def language_model(settings: C4Settings) -> bytes | None:
    """Read the fastText model, if that is what identifies languages.

    Raises:
        SettingsError: It is not there.
    """
    if settings.language.detector is not Detector.FASTTEXT:
        return None
    return read_language_model(settings.language_model, "c4")


def identification(
    run: Run, settings: C4Settings
) -> tuple[Callable[[], ScoreAll], dict[str, Any], Callable[[], None] | None]:
    """Give how workers load what identifies languages, what its scores depend on, and what installs it."""
    model = language_model(settings)
    if model is None:
        return steps.load_langdetect, {"detector": settings.language.detector.value}, None
    folder = join(run.folder, "models", "c4_language")
    asked = {
        "detector": settings.language.detector.value,
        "sha256": hashlib.sha256(model).hexdigest(),
        **settings.language_model.model_dump(mode="json", exclude={"model"}),
    }

    def install() -> None:
        write_bytes(join(folder, "lid.bin"), model)
        card = {"model": "fastText language identification (Joulin et al. 2016)", **asked}
        write_json(join(folder, "card.json"), card)

    return functools.partial(steps.load_fasttext, join(folder, "lid.bin"), settings.language_model), asked, install
