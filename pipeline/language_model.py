"""The fastText model that identifies languages, as a config gives it."""

from filters.language import LanguageModelSettings, installed_model
from filters.model_files import check_fasttext_file
from pipeline.files import local_copy, read_bytes
from pipeline.settings import SettingsError


def read_language_model(settings: LanguageModelSettings, source: str) -> bytes:
    """Read the model.

    Args:
        settings: Where it is; the installed one by default.
        source: The source whose settings these are, for messages.

    Raises:
        SettingsError: It is not there, or is none.
    """
    try:
        path = settings.model or installed_model()
        with local_copy(path) as file:
            check_fasttext_file(file)
        return read_bytes(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        given = f": {settings.model}" if settings.model and settings.model not in reason else ""
        raise SettingsError(f"sources.{source}.language_model.model: {reason}{given}") from error
