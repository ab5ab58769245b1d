"""Templates of many wikis, each traced by hand from what the wiki's page shows."""

import pytest

from filters.wiki_names import names_of
from filters.wikitext import wikitext_to_text
from filters.wikitext_render import MAX_DEPTH


def text_of(wiki: str, wikitext: str) -> str:
    return wikitext_to_text(wikitext, names_of(wiki)).text


ICONS = [
    ("frwiki", "{{de}} [http://a.org Portail] {{en}} {{fr}}", "Portail"),
    ("frwiki", "* {{en}} {{de}} a", "a"),
    ("ruwiki", "[http://a.org b] {{ref-en}} {{ref-de}}", "b"),
    ("enwiki", "* {{fr icon}} {{in lang|de}} a {{en icon}}", "a"),
    ("ruwiki", "({{lang-de|Berlin}}, {{audio|x.ogg|произношение}})", "(Berlin)"),
    ("enwiki", "a ({{audio|x.ogg|listen}}) {{audio|c.ogg|Mot}}", "a Mot"),
    ("dewiki", "a ({{Audio|x.ogg|anhören}}) b", "a b"),
    ("ukwiki", "({{audio|x.ogg|прослухати}})", ""),
    ("itwiki", "a ({{Link audio|x.ogg|ascolta}}) b", "a b"),
]


@pytest.mark.parametrize(("wiki", "wikitext", "text"), ICONS)
def test_marks_of_language_and_of_sound_go(wiki, wikitext, text):
    assert text_of(wiki, wikitext) == text


FRENCH = [
    ("{{nobr|4,4|millions}} d'habitants", "4,4 millions d'habitants"),
    ("Otton {{Ier}}, le {{2e}}, le {{IVe}}, {{XIXe siècle}}", "Otton Ier, le 2e, le IVe, XIXe siècle"),
    ("du nom {{latin|Austria}} se", "du nom Austria se"),
    ("le {{date|29|9|2019}} et le {{date-|1|1|1933}}", "le 29 septembre 2019 et le 1er janvier 1933"),
    ("le {{date|14|juillet|1789}}, {{date|mai|1968}}", "le 14 juillet 1789, mai 1968"),
    ("{{unité|3748148 habitants}}, {{unité|892|km|2}}", "3 748 148 habitants, 892 km²"),
    ("{{euro|77.80}}", "77,80 €"),
]


@pytest.mark.parametrize(("wikitext", "text"), FRENCH)
def test_numbers_and_dates_of_the_french_are_whole(wikitext, text):
    assert text_of("frwiki", wikitext) == text


CENTURIES = [
    ("frwiki", "au {{s|XII}}, au {{s-|XXI}}, au {{s|I|er}}", "au XIIe siècle, au XXIe siècle, au Ier siècle"),
    ("frwiki", "du {{s mini-|XVII|e}} et du {{s mini|I}}", "du XVIIe et du Ier"),
    ("frwiki", "au {{-s|V|e}} et {{-s-|IV}}", "au Ve siècle av. J.-C. et IVe siècle av. J.-C."),
    ("frwiki", "des {{sp-|XVIII|e|et|XIX|e|s}}, {{sp|VI|e|-|VII|e|s}}", "des XVIIIe et XIXe siècles, VIe-VIIe siècles"),
    ("frwiki", "du {{sp-|I|et le|IV}}, {{s2|XVIII|XIX}}", "du Ier et le IVe siècles, XVIIIe et XIXe siècles"),
    ("frwiki", "{{-Ve siècle}}, {{-52}}, {{av JC|44}}", "Ve siècle av. J.-C., 52 av. J.-C., 44 av. J.-C."),
    ("frwiki", "{{IIIe République}}, {{1er mai}}, {{5e|armée}} {{II}}", "IIIe République, 1er mai, 5e armée"),
    ("eswiki", "{{siglo|XVII}}, {{siglo|XVI||s}}, {{Siglo|XIX||S}}", "XVII, siglo XVI, Siglo XIX"),
    ("eswiki", "{{siglo|V|a|s}}, {{Siglo|XVI|3=s}}{{siglo}}", "siglo V a. C., siglo XVI"),
    ("ptwiki", "em {{AC|146|x}}, 44 {{a.C.}}", "em 146 a.C., 44 a.C."),
    ("ruwiki", "{{OldStyleDate|6|июня|1799|26|мая}}", "26 мая (6 июня) 1799"),
    ("ruwiki", "{{OldStyleDate|25|октября|1899|13}}, {{OldStyleDate|5|мая|1900}}", "13 (25) октября 1899, 5 мая 1900"),
]


@pytest.mark.parametrize(("wiki", "wikitext", "text"), CENTURIES)
def test_centuries_and_old_dates_are_whole(wiki, wikitext, text):
    assert text_of(wiki, wikitext) == text


QUOTED = [
    ("frwiki", 'il dit {{"|bonjour}} et {{guil|salut}}.', "il dit «\xa0bonjour\xa0» et «\xa0salut\xa0»."),
    ("frwiki", "Paris{{incise|la capitale}} est, a{{incise|b|stop}}.", "Paris — la capitale — est, a — b."),
    ("frwiki", "{{souverain-|Louis XIV (roi de France)}} {{dunité|10|20|cm}}", "Louis XIV 10 × 20 cm"),
    ("frwiki", "{{vers|texte=a<br>b}}", "a\nb"),
    (
        "enwiki",
        "{{harvtxt|Smith|2010}} has, {{Harvtxt|A|B|1974, 1999}} offer",
        "Smith (2010) has, A and B (1974, 1999) offer",
    ),
    ("enwiki", "{{harvtxt|A|B|C|D|2001|p=3}} say", "A et al. (2001) say"),
    (
        "enwiki",
        "({{EC number|2.6.1.12}}) a {{1/2}} size, {{EPC Article|85}}",
        "(EC 2.6.1.12) a 1/2 size, Article 85 EPC",
    ),
    ("cswiki", "5 {{km2}} {{Fakt/dne|2010|a b}}", "5 km² a b"),
]


@pytest.mark.parametrize(("wiki", "wikitext", "text"), QUOTED)
def test_words_that_a_sentence_needs_are_shown(wiki, wikitext, text):
    assert text_of(wiki, wikitext).replace("\xa0", " ") == text.replace("\xa0", " ")


COUNTRIES = [
    ("dewiki", "* {{Argentinien}}: 3,5 Zoll\n* {{Frankreich}}", "Argentinien: 3,5 Zoll\nFrankreich"),
    ("ruwiki", "* [[Лос-Анджелес]], {{США}} (1967)\n\n{{Россия}}", "Лос-Анджелес, США (1967)"),
    ("bgwiki", "в {{Германия}} и {{Франция}}.", "в Германия и Франция."),
    ("cswiki", "a\n\n{{Commonscat}}\n{{Německo}}\n{{Česko}} {{Polsko}}", "a"),
    ("enwiki", "{{flag|Germany}} {{flagicon|France}} {{flagu|Italy}}", "Germany Italy"),
    ("enwiki", "{{Germany}}\n{{Clarify}} a {{Portal}}", "a"),
]


@pytest.mark.parametrize(("wiki", "wikitext", "text"), COUNTRIES)
def test_a_country_is_named_inside_of_text_only(wiki, wikitext, text):
    assert text_of(wiki, wikitext) == text


PLACES = [
    ("enwiki", "at {{coord|13|19|N|169|9|W|type:event}}, in", "at 13°19′N 169°9′W, in"),
    ("enwiki", "{{coord|52.5|-13.4}} {{coord|52.5|N|13.4|E|region:DE}}", "52.5°N 13.4°W 52.5°N 13.4°E"),
    ("enwiki", "a {{coord|52.5|-13.4|display=title}} b", "a b"),
    ("enwiki", "a {{coord|52.5|-13.4|display=inline,title}}", "a 52.5°N 13.4°W"),
    ("enwiki", "a {{coord|garbage|x}} b {{coord}} c", "a b c"),
    ("nowiki", "ved {{Koord|52|31|6.2|N|13|24|29|E|vis=tekst}}.", "ved 52°31′6.2″N 13°24′29″E."),
    ("nowiki", "{{Koord|52|31|12|N|13|22|48|E|vis=tittel}} a", "a"),
    ("dewiki", "({{Coordinate|text=DMS|NS=52/30/10.4/N|EW=13/24/15/E|type=x}})", "(52°30′10,4″N 13°24′15″E)"),
    ("dewiki", "a {{Coordinate|NS=52/30/10.4/N|EW=13/24/15/E|type=x}}", "a"),
]


@pytest.mark.parametrize(("wiki", "wikitext", "text"), PLACES)
def test_coordinates_are_written_where_they_stand_in_the_text(wiki, wikitext, text):
    assert text_of(wiki, wikitext) == text


WORDS = [
    ("enwiki", "{{cvt|4|C-change}}, {{convert|6000|ft|m|-2}}", "4 °C, 6,000 ft"),
    ("dewiki", "chinesisch {{zh|v=火狐|b=Feuerfuchs|kurz=}}.", "chinesisch 火狐."),
    ("enwiki", "({{lang-zh|s=中国|t=中國|p=Zhōngguó}})", "(中国, 中國, Zhōngguó)"),
    ("enwiki", "{{nq|افغانستان}}", "افغانستان"),
    ("enwiki", 'a{{\' "}} b{{" \'}} c{{-"}}', 'a\' " b" \' c"'),
    ("enwiki", "{{Carbon}}<sub>2</sub>{{Hydrogen}}<sub>6</sub>", "C2H6"),
    ("enwiki", "({{pron-en|ˈæb}})", "(pronounced /ˈæb/)"),
    ("enwiki", "({{cite quran|29|46|style=nosup}})", "(29:46)"),
    ("enwiki", "{{USD|5 million}}, {{val|5.2|0.1|e=3|u=km}}, {{nts|12345}}", "US$5 million, 5.2±0.1×10^3 km, 12,345"),
    ("enwiki", "{{height|ft=6|in=2}}, {{chem|H|2|O}}, {{sic|teh}}", "6 ft 2 in, H2O, teh [sic]"),
    ("enwiki", "{{As of|2015|6|30}}, b {{as of|2011|lc=y}}", "As of 30 June 2015, b as of 2011"),
    ("enwiki", "{{As of|2011|since=y}}, {{as of|2011|lc=y|since=y}}", "Since 2011, since 2011"),
    ("enwiki", "{{plainlist|\n* a\n* b\n}}", "a\nb"),
    ("enwiki", "{{poem|a<br>b}}\n{{verse translation|x\ny|c\nd}}", "a\nb\n\nx\n\ny\n\nc\n\nd"),
    ("enwiki", "{{collapse|a b|title=c}}", "a b"),
    ("enwiki", "{{main|a}}\n{{see also|b}}\nc {{cite web|title=d}} e", "c e"),
    ("dewiki", "{{Hauptartikel|a}}\nb\n{{Siehe auch|c}}", "b"),
    ("frwiki", "{{article détaillé|a}}\nb {{référence insuffisante|date=c}}.", "b."),
    ("eswiki", "en {{ESP}} y 5{{e|3}}", "en y 5×10^3"),
    ("itwiki", "{{M|5|k|m}}, {{M|5000||km}}", "5 km, 5.000 km"),
    ("enwiki", "{{convert|11|MUSgal|L}}, {{convert|400000|oilbbl/d}}", "11 million US gal, 400,000 barrels per day"),
    (
        "enwiki",
        "{{convert|2|e6acre|km2}}, {{convert|5|LT|t}}, {{convert|900|koilbbl/d}}",
        "2 million acre, 5 long tons, 900 thousand barrels per day",
    ),
    ("frwiki", "le {{date-|1 janvier 1995}}", "le 1er janvier 1995"),
    ("skwiki", "zhruba {{km|70|m}} západne", "zhruba 70 km západne"),
]


@pytest.mark.parametrize(("wiki", "wikitext", "text"), WORDS)
def test_words_and_measures_stay_and_hatnotes_go(wiki, wikitext, text):
    assert text_of(wiki, wikitext) == text


HOLES = [
    ("enwiki", "landed in 1969 ({{age|1969|7|20}} years ago). B", "landed in 1969. B"),
    (
        "enwiki",
        "reached $9 million (${{Format price|{{Inflation|US|9000000|1919}}}} today) and",
        "reached $9 million and",
    ),
    ("enwiki", "was $5 (${{Inflation|US|5|1929}} in {{CURRENTYEAR}} dollars). C", "was $5. C"),
    ("nlwiki", "a ({{Statistiek gemeente Duitsland inwoners|11|x|TXT=jaar}}) is", "a is"),
    ("enwiki", "a (b {{citation needed}}; c) d", "a (b; c) d"),
]


@pytest.mark.parametrize(("wiki", "wikitext", "text"), HOLES)
def test_what_stands_in_brackets_goes_where_its_number_is_not_known(wiki, wikitext, text):
    assert text_of(wiki, wikitext) == text


def test_what_is_nested_too_deep_goes_alone():
    deep = "{{nowrap|" * (MAX_DEPTH + 5) + "lost" + "}}" * (MAX_DEPTH + 5)
    assert text_of("enwiki", f"before {deep} after") == "before after"
