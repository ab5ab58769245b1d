"""What links of wikitext show, and the choice ``-{ }-`` between scripts."""

import re

from filters.wiki_names import WikiNames
from filters.wikitext_raw import REMOVED
from filters.wikitext_templates import plain_name

_PREFIX = re.compile(r"\s*+([^|\[\]{}<>:\n#/]{1,80}+):")
_MEDIA_FILE = re.compile(
    r"[^|\n]{1,250}\.(?:jpe?g|png|gif|svg|tiff?|webp|ogg|ogv|oga|webm|wav|mp3|mid|flac|pdf|djvu|xcf)\s*", re.IGNORECASE
)
_VARIANT_FLAGS = re.compile(r"\s*[A-Z](?:\s*;\s*[A-Z])*\s*\|", re.IGNORECASE)


def is_taken_out(text: str, start: int, names: WikiNames) -> bool:
    """Tell whether the link whose target begins at ``start`` is an image, a category or a page in another language."""
    found = _PREFIX.match(text, start)
    if found is None:
        return False
    prefix = plain_name(found[1])
    if prefix in names.files or prefix in names.categories or prefix in names.languages:
        return True
    return not names.is_known and _MEDIA_FILE.match(text, start) is not None


def link_text(target: str, text: str | None, names: WikiNames) -> str:
    """Give the words of a link.

    Args:
        target: The page it leads to.
        text: What is written behind the bar, ``None`` without one.
        names: The wiki.

    Returns:
        The words; a mark for images, categories and pages in other languages. Without text of its own a link to a
        category, a file or another wiki shows the page's name alone.
    """
    if ":" in target:
        prefix, _, page = target.partition(":")
        known = plain_name(prefix)
        if known in names.files or known in names.categories or known in names.languages:
            return REMOVED
        if not names.is_known and _is_foreign_margin(known, page, text, names):
            return REMOVED
        if "//" in target:
            return text if text is not None else target.partition(" ")[2]
    if text is None:
        return _page_name(target, names)
    return text or _without_clarifier(target)


def _is_foreign_margin(prefix: str, page: str, text: str | None, names: WikiNames) -> bool:
    """Guess at an image or category where the language's words for them are not known.

    A name that ends like a file's is an image; one before the colon with no blank behind it a category.
    """
    if _MEDIA_FILE.fullmatch(page):
        return True
    is_sorted = text is None or not text.strip() or text == text.upper() or page.startswith(text)
    return bool(prefix) and prefix not in names.namespaces and page[:1].strip() != "" and is_sorted


def _page_name(target: str, names: WikiNames) -> str:
    page = target.strip().removeprefix(":").lstrip()
    prefix, colon, rest = page.partition(":")
    known = plain_name(prefix)
    if colon and (known in names.files or known in names.categories or known in names.languages or known in _PROJECTS):
        return rest.strip().replace("_", " ")
    return page.removeprefix("#").replace("_", " ")


#: Prefixes of sister projects; those that are words of other uses are left out.
_PROJECT_PREFIXES = (
    "wikt wiktionary w wikipedia s wikisource q wikiquote b wikibooks n wikinews v wikiversity voy wikivoyage species "
    "commons c m meta mw d wikidata wikispecies foundation outreach phab"
)
_PROJECTS = frozenset(_PROJECT_PREFIXES.split())


def _without_clarifier(target: str) -> str:
    """Do as the pipe trick does: the name without its prefix, and without what stands in brackets or after a comma.

    >>> _without_clarifier("Help:Mercury (planet)")
    'Mercury'
    """
    page = target.rpartition(":")[2].strip()
    return re.sub(r"\s{0,9}\([^()]*+\)\s{0,9}$|,.*$", "", page, count=1)


def variant_text(content: str) -> str:
    """Give the text of ``-{ }-``: the first of several scripts, nothing where it only makes a rule."""
    flags = _VARIANT_FLAGS.match(content)
    if flags:
        content = content[flags.end() :]
        if any(flag in flags[0].upper() for flag in "RTHN-"):
            return content if "R" in flags[0].upper() else ""
    first, semicolon, _ = content.partition(";")
    script, colon, text = first.partition(":")
    is_choice = colon and re.fullmatch(r"\s*[a-z]{2,3}(?:-[a-z]{2,8})*\s*", script, re.IGNORECASE)
    return text.strip() if is_choice else content if not semicolon or not colon else text
