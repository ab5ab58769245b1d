"""What C4's rules ask for beside pages: the list of bad words, and what identifies the language."""

import functools
import hashlib
import os
from collections.abc import Callable
from typing import Any

from filters.bad_words import read_words
from filters.c4_language import Detector
from filters.language import installed_model
from pipeline.c4_settings import C4Settings
from pipeline.files import is_local, join, read_bytes, write_bytes, write_json
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
    inside = is_local(settings.bad_words) and not os.path.isabs(settings.bad_words)
    path = join(data, settings.bad_words) if inside else settings.bad_words
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
    try:
        return read_bytes(settings.language_model.model or installed_model())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        given = f": {settings.language_model.model}" if settings.language_model.model else ""
        raise SettingsError(f"{_KEY}.language_model.model: {reason}{given}") from error


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
