"""What templates of words show: lists, languages and pronunciation, names of ships, marks of music."""

import re
from collections.abc import Callable, Mapping

from filters.wiki_names import WikiNames
from filters.wikitext_arguments import Arguments, first, positional
from filters.wikitext_raw import BREAK

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]{2,9})?")


def _join(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del name, names
    return rest.join(value for value in positional(arguments) if value)


def _lines(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    return "\n" + "\n".join(f"* {value}" for value in positional(arguments) if value) + "\n"


def _last(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    return next((value for value in reversed(positional(arguments)) if value), "")


def _named(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del name, names
    values = [value for key in rest.split(",") if (value := arguments.get(key, "").strip())]
    return ", ".join(dict.fromkeys(values)) or first(arguments, "1")


def _break(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del arguments, rest, name, names
    return BREAK


def _language_link(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{ill|Title|de|Titel|lt=text}}``, or the older ``{{ill|de|Titel|Title}}``."""
    del rest, name, names
    if _LANGUAGE.fullmatch(first(arguments, "1")) and first(arguments, "2"):
        return first(arguments, "lt", "display", "4", "3", "2")
    return first(arguments, "lt", "display", "tekst", "1")


def _not_translated(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{нп5|Title|text|de|Titel}}``, or ``{{нп|Title|de|Titel|text}}``."""
    del rest, name, names
    if _LANGUAGE.fullmatch(first(arguments, "2")):
        return first(arguments, "текст", "4", "1", "треба", "надо")
    return first(arguments, "текст", "2", "1", "треба", "надо", "4")


def _ipa(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{IPA|text}}`` or ``{{IPA|de|text}}``; ``{{IPA-de|text}}`` in brackets."""
    del rest, names
    one, two = first(arguments, "1"), first(arguments, "2")
    shown = two if _LANGUAGE.fullmatch(one) and two and not two.endswith((".ogg", ".wav")) else one
    has_brackets = not shown or shown[0] in "[/" or "-" not in name
    return shown if has_brackets else f"[{shown}]"


def _ipa_segments(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    words = {"lang", "local", "ipa", "icon", "pron", "us", "uk", "audio", "english", "also", "ambig", "small"}
    segments = [value for value in positional(arguments) if value and value not in words]
    return f"/{''.join(value if value != '_' else ' ' for value in segments)}/" if segments else ""


def _nihongo(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, names
    english, *others = [*(arguments.get(str(number), "").strip() for number in range(1, 6)), ""]
    inside = ", ".join(value for value in others if value)
    if name.strip().lower() == "nihongo2":
        return english
    return f"{english} ({inside})".strip() if inside else english


def _sic(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    shown = f"{first(arguments, '1')}{first(arguments, '2')}"
    return shown if first(arguments, "hide") and shown else f"{shown} [sic]".strip()


def _ship(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{USS|Hornet|CV-12|6}}`` as ``USS Hornet``; without the 6 the hull's number follows."""
    del rest, names
    values = [*positional(arguments), "", "", "", ""]
    prefix = name.strip()
    if prefix.lower() == "ship":
        prefix, *values = values
    ship, number, form = values[:3]
    full = f"{prefix} {ship}".strip()
    if form in ("2", "3") or not form.isdigit():
        return {"2": ship, "3": ship}.get(form, f"{full} ({number})" if number else full)
    return full


_MUSIC = {"sharp": "♯", "flat": "♭", "natural": "♮", "#": "♯", "b": "♭", "diesis": "♯", "bemolle": "♭"}


def _music(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    del rest, name, names
    return _MUSIC.get(first(arguments, "1").lower(), "")


#: What is written on a button that plays a sound.
_LISTEN_WORDS = (
    "listen pronunciation pronounced help info audio sound play anhören aussprache écouter prononciation escuchar "
    "pronunciación ascolta pronuncia pronúncia ouvir luister uitspraak wymowa posłuchaj výslovnost poslech lyssna "
    "uttal udtale lyt hallgat kiejtés pronunție ascultă izgovor slušaj poslušaj изговор слушај произношение слушать "
    "прослушать послушать звучание аудио вимова прослухати слухати слушай"
)
_LISTEN = frozenset(_LISTEN_WORDS.split())


def _audio(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{audio|x.ogg|Wort}}`` as ``Wort``, but not what only says that there is something to hear."""
    del rest, name, names
    shown = first(arguments, "2")
    return "" if shown.strip("'\" .…()").lower() in _LISTEN else shown


def _aside(arguments: Arguments, rest: str, name: str, names: WikiNames) -> str:
    """Show ``{{incise|a}}`` as ``— a —``, and without the second dash where the sentence ends behind it."""
    del rest, name, names
    shown = first(arguments, "1", "contenu")
    is_last = first(arguments, "2").lower() in ("stop", "fin", "final")
    return f" — {shown}{'' if is_last else ' —'}" if shown else ""


#: By the name that the rules have (:mod:`filters.wiki_templates`).
WORDS: Mapping[str, Callable[[Arguments, str, str, WikiNames], str]] = {
    "aside": _aside,
    "audio": _audio,
    "break": _break,
    "ipa": _ipa,
    "ipa_segments": _ipa_segments,
    "join": _join,
    "language_link": _language_link,
    "last": _last,
    "lines": _lines,
    "music": _music,
    "named": _named,
    "nihongo": _nihongo,
    "not_translated": _not_translated,
    "ship": _ship,
    "sic": _sic,
}
