"""Names of countries in the languages of LLaMA's Wikipedia (Touvron et al., 2023, section 2.1).

Many wikis have templates that are called like a country and show its flag and its name: ``{{Германия}}``. Where one of
them stands inside of text, its name is a word of the sentence. The names are those of the Unicode Common Locale Data
Repository, as Babel carries it, and beside them the abbreviations, other usual names, former states and parts of the
United Kingdom that wikis have such templates for.
"""

import functools
import re

from babel import Locale

#: By language, in lower case, parted by ``|``: what Babel does not name.
_OTHER_NAMES: dict[str, str] = {
    "bg": "англия|великобритания|гдр|македония|сащ|ссср|уелс|фрг|чехословакия|шотландия|югославия",
    "ca": ("anglaterra|escòcia|eua|gal·les|gran bretanya|iugoslàvia|rda|república txeca|rfa|txecoslovàquia|urss"),
    "cs": "anglie|jugoslávie|makedonie|ndr|skotsko|sssr|usa|velká británie|wales|československo",
    "da": "ddr|england|jugoslavien|skotland|sovjetunionen|tjekkoslovakiet|wales",
    "de": (
        "ddr|england|großbritannien|jugoslawien|mazedonien|republik china|republik irland|schottland"
        "|sowjetunion|tschechoslowakei|usa|vatikan|volksrepublik china|wales|weißrussland"
    ),
    "en": (
        "burma|czech republic|czechoslovakia|east germany|england|great britain|ivory coast|macedonia"
        "|scotland|soviet union|turkey|usa|wales|west germany|yugoslavia"
    ),
    "es": "checoslovaquia|escocia|gales|gran bretaña|inglaterra|rda|república checa|rfa|urss|yugoslavia",
    "fr": (
        "angleterre|grande-bretagne|pays de galles|rda|rfa|république tchèque|tchécoslovaquie|urss|yougoslavie|écosse"
    ),
    "hr": "engleska|jugoslavija|makedonija|sad|sssr|velika britanija|wales|čehoslovačka|škotska",
    "hu": "anglia|csehszlovákia|jugoszlávia|nagy-britannia|ndk|skócia|szovjetunió|usa|wales",
    "it": "cecoslovacchia|galles|gran bretagna|inghilterra|jugoslavia|rep. ceca|repubblica ceca|scozia|urss",
    "nl": ("ddr|engeland|groot-brittannië|joegoslavië|schotland|sovjet-unie|tsjecho-slowakije|wales|wit-rusland"),
    "pl": "anglia|czechosłowacja|jugosławia|macedonia|nrd|szkocja|usa|walia|zsrr",
    "pt": (
        "checoslováquia|escócia|eua|grã-bretanha|inglaterra|iugoslávia|jugoslávia|país de gales"
        "|república checa|república tcheca|tchecoslováquia|urss"
    ),
    "ro": "anglia|cehoslovacia|iugoslavia|marea britanie|rdg|republica cehă|rfg|scoția|sua|urss|țara galilor",
    "ru": (
        "австро-венгрия|англия|белоруссия|гдр|германская империя|кнр|македония|молдавия|российская империя"
        "|рсфср|сербия и черногория|ссср|сша|туркмения|уэльс|фрг|чехословакия|шотландия|юар|югославия"
    ),
    "sl": "anglija|jugoslavija|makedonija|sz|velika britanija|wales|zda|češkoslovaška|škotska",
    "sr": "велика британија|велс|енглеска|сад|ссср|сфрј|чехословачка|шкотска|југославија",
    "sv": (
        "england|jugoslavien|makedonien|skottland|sovjetunionen|tjeckoslovakien|vitryssland|västtyskland"
        "|wales|östtyskland"
    ),
    "uk": "англія|кнр|ндр|оае|пар|срср|сша|уельс|урср|фрн|чехословаччина|шотландія|югославія",
}
_COUNTRY = re.compile(r"[A-Z]{2}")
#: Codes of two letters that are no countries: unions, pseudo-regions, what is unknown.
_NO_COUNTRIES = frozenset(("EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"))
_IN_BRACKETS = re.compile(r"\s*\([^()]*\)")


@functools.cache
def country_names(language: str) -> frozenset[str]:
    """Give the names of countries in a language, in lower case; none in languages other than the twenty.

    >>> sorted(name for name in country_names("en") if name.startswith("wa"))
    ['wales', 'wallis & futuna']
    """
    if language not in _OTHER_NAMES:
        return frozenset()
    territories = Locale.parse(language).territories
    known = [name for code, name in territories.items() if _COUNTRY.fullmatch(code) and code not in _NO_COUNTRIES]
    plain = (_IN_BRACKETS.sub("", name.lower().replace("\u2019", "'")) for name in known)
    return frozenset((*plain, *_OTHER_NAMES[language].split("|")))
