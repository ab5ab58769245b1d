"""Wikitext to text: each construct on its own, traced by hand from what MediaWiki shows."""

import pytest

from filters.wiki_names import names_of
from filters.wikitext import WikiText, find_leftovers, is_disambiguation, wikitext_to_text


def text_of(wikitext: str, wiki: str = "enwiki") -> str:
    return wikitext_to_text(wikitext, names_of(wiki)).text


LINKS = [
    ("[[a|b]]", "b"),
    ("[[a]]", "a"),
    ("[[bus]]es run", "buses run"),
    ("[[Mercury (planet)|]] x", "Mercury x"),
    ("[[a|''b'' [[c]] d]]", "b c d"),
    ("[[a|{{lang|fr|mot}}]]", "mot"),
    ("[http://a.org the text] x", "the text x"),
    ("[//a.org the [[b|text]]] x", "the text x"),
    ("see [http://a.org] x", "see x"),
    ("see http://a.org/x, x", "see, x"),
    ("[[:Category:Cats]] x", "Cats x"),
    ("[[Category:Cats]] x", "x"),
    ("a [[File:b.jpg|thumb|100px|c [[d|e]] {{f|g}} [http://h i]]] j", "a j"),
    ("a [[de:b]] [[fr:c]]", "a"),
    ("[[wikt:word]] and [[:fr:Mot]]", "word and Mot"),
    ("a [[b|c", "a c"),
    ("a [[File:b.jpg|thumb|c\n\nd", "a\n\nd"),
    ("a ]] b", "a b"),
    ("arr[1] = [x]", "arr[1] = [x]"),
    ("[[http://a.org b]] c", "b c"),
    ("[[A_b#C d]]", "A b#C d"),
]


@pytest.mark.parametrize(("wikitext", "text"), LINKS)
def test_links_become_their_words(wikitext, text):
    assert text_of(wikitext) == text


@pytest.mark.parametrize(
    ("wiki", "link"),
    [
        ("bgwiki", "Файл"),
        ("bgwiki", "Картинка"),
        ("cawiki", "Fitxer"),
        ("cswiki", "Soubor"),
        ("dawiki", "Fil"),
        ("dewiki", "Datei"),
        ("dewiki", "Bild"),
        ("dewiki", "Kategorie"),
        ("eswiki", "Archivo"),
        ("frwiki", "Fichier"),
        ("frwiki", "Catégorie"),
        ("hrwiki", "Datoteka"),
        ("huwiki", "Fájl"),
        ("huwiki", "Kategória"),
        ("itwiki", "Immagine"),
        ("nlwiki", "Bestand"),
        ("plwiki", "Plik"),
        ("ptwiki", "Ficheiro"),
        ("rowiki", "Fișier"),
        ("ruwiki", "Файл"),
        ("ruwiki", "Категория"),
        ("slwiki", "Slika"),
        ("srwiki", "Датотека"),
        ("srwiki", "Категорија"),
        ("svwiki", "Fil"),
        ("ukwiki", "Файл"),
        ("ukwiki", "Category"),
    ],
)
def test_media_and_categories_go_in_every_language(wiki, link):
    assert text_of(f"a [[{link}:b c.jpg|d [[e]] f]] [[{link}:g]] h", wiki) == "a h"


TAKEN_OUT = [
    ("a<ref>b</ref> c", "a c"),
    ("a<ref name=x/> b <ref name='y' group=\"z\">c</ref>.", "a b."),
    ("a<ref>b\n\nc", "a\n\nc"),
    ("a<ref>b c<ref>d</ref> e", "a e"),
    ("a{{refn|b<ref>c</ref>}}{{efn|d}} e", "a e"),
    ("a{{#tag:ref|b}} c", "a c"),
    ("a<!-- b\nc -->d", "ad"),
    ("a <!-- b", "a"),
    ("a\n<!-- b -->\nc", "a c"),
    ("a\n{| class=x\n| b\n{|\n| c\n|}\n|}\nd", "a d"),
    ("{{Infobox\n| a = {{b|c}}\n| d = [[e]]\n{|\n|f\n|}\n}}\ng", "g"),
    ("a <table><tr><td>b<table><tr><td>c</table></table> d", "a d"),
    ("__TOC__\na __NOTOC__ b", "a b"),
    ("a {{{b}}} {{{c|d}}}", "a d"),
    ("{{DEFAULTSORT:a}}b", "b"),
    ("a<gallery>\nb.jpg|c\n</gallery> d", "a d"),
    ('a <div style="display: none">b<div>c</div></div> d', "a d"),
    ("a <timeline>b</timeline><score>c</score><imagemap>d</imagemap><graph>e</graph> f", "a f"),
    ("a <references><ref name=b>c</ref></references>", "a"),
    ("{{Navbox\n|a\nb\n\nc", "b\n\nc"),
    ("{| class=x\n| a\n| b\n\n== c ==\nd", "c\n\nd"),
    ("a (; 1879)", "a (; 1879)"),
    ("a ({{x}}; 1879) b", "a (1879) b"),
    ("a ({{x}}) b", "a b"),
    ("a (b, {{x}}) c", "a (b) c"),
    ("a {{x}}, b", "a, b"),
    ("a {{x}} b", "a b"),
    ("* {{flag icon|x}}, b", "b"),
    ("a {{x|{{{{y}}}}}} b", "a b"),
    ("a }} b |} c", "a b c"),
    ("==[[a]]\n==|}", "a"),
    ("a <table>{{lang|fr|</table>b}} c {{lang|fr|d}}", "a b c d"),
    ("<div style='display:none'>{{nowrap|</div>a}} b", "a b"),
    ("|}word", "word"),
    ("a <b|} c> d", "a d"),
    ("|}<code>a</code>", "a"),
    ("__TOC__http://a.org b", "b"),
    ("* Papers: {{Citation|x}}. More", "Papers. More"),
    ("* Boats (b): {{x}}, {{y}} and {{z}}", "Boats (b): and"),
    ('a.[1] B,[23] c[4] = d "e"[5]', 'a. B, c[4] = d "e"'),
]


@pytest.mark.parametrize(("wikitext", "text"), TAKEN_OUT)
def test_boilerplate_goes_without_scars(wikitext, text):
    assert text_of(wikitext) == text


TEMPLATES = [
    ("enwiki", "{{lang|fr|mot}}", "mot"),
    ("enwiki", "({{lang-ru|слово}})", "(слово)"),
    ("enwiki", "{{convert|5|km|mi}}", "5 km"),
    ("enwiki", "{{convert|5|to|10|km2|sqmi}}", "5 to 10 km²"),
    ("enwiki", "{{convert|5|x|10|m}}", "5 × 10 m"),
    ("enwiki", "{{convert|5|-|10|C|F}}", "5–10 °C"),
    ("enwiki", "{{convert|6|ft|2|in|m}}", "6 ft 2 in"),
    ("enwiki", "a\n{{quote|b [[c]]|d}}\ne", "a\n\nb c\n\n— d\n\ne"),
    ("enwiki", "{{blockquote|text=a=b}}", "a=b"),
    ("enwiki", "{{start date|2001|5|3}}", "May 3, 2001"),
    ("enwiki", "{{birth date and age|1989|7|23|df=yes}}", "23 July 1989"),
    ("enwiki", "{{nowrap|a [[b|c]]}}", "a c"),
    ("enwiki", "{{ill|Title|de|Titel|lt=text}} {{ill|de|Titel|Name}}", "text Name"),
    ("enwiki", "{{frac|1|2}} {{sfrac|3|4}}", "1/2 3/4"),
    ("enwiki", "{{IPA|/a/}} {{IPAc-en|æ|l|ˈ|b}} {{IPA-de|x|pron|y.ogg}}", "/a/ /ælˈb/ [x]"),
    ("enwiki", "{{math|''a'' {{=}} b{{!}}c}}", "a = b|c"),
    ("enwiki", "a{{ndash}}b{{snd}}c", "a–b – c"),
    ("enwiki", "{{circa|1850}}", "c. 1850"),
    ("enwiki", "{{transl|ar|al-Jazā'ir}}", "al-Jazā'ir"),
    ("enwiki", "{{hlist|a|b}}", "a, b"),
    ("enwiki", "{{ubl|a|b}}", "a\nb"),
    ("enwiki", "{{formatnum:1234567.5}}", "1,234,567.5"),
    ("enwiki", "{{#if: x | [[a|b]] | c}} {{#if:|c|d}}", "b d"),
    ("enwiki", "{{#switch: b | a = 1 | b = 2 | #default = 3}}", "2"),
    ("enwiki", "{{USS|Hornet|CV-12|6}} {{HMS|Ajax|22}}", "USS Hornet HMS Ajax (22)"),
    ("enwiki", "{{lc:AB}} {{ucfirst:ab}} {{plural:2|a|b}}", "ab Ab b"),
    ("enwiki", "{{Nihongo|'''Aikido'''|合気道|Aikidō}}", "Aikido (合気道, Aikidō)"),
    ("dewiki", "{{Zitat|Text=a b|Autor=c}}", "a b\n\n— c"),
    ("dewiki", "{{ZAHLENFORMAT:12345}} {{KLEIN:AB}}", "12.345 ab"),
    ("dewiki", '{{"|a b}} {{enS|word}}', "„a b“ word"),
    ("frwiki", "{{s|XIX}} {{XXe siècle}} {{1er}} {{unité|12,5|km|2}}", "XIXe siècle XXe siècle 1er 12,5 km²"),
    ("frwiki", "le {{date|14|juillet|1789}}, {{langue|en|word}}", "le 14 juillet 1789, word"),
    ("frwiki", "{{citation|mot}} {{référence nécessaire|a b|date=c}}", "« mot » a b"),
    ("frwiki", "{{citation bloc|a b}}", "a b"),
    ("eswiki", "{{siglo|XIX||s}} {{esd}}{{cita|a}}", "siglo XIX\n\na"),
    ("itwiki", "{{M|5||km}} {{senza fonte|a b}}", "5 km a b"),
    ("plwiki", "{{cytat|a b|c}} {{Fakt|d|data=e}}", "a b\n\n— c\n\nd"),
    ("plwiki", "a {{lang|de}} b", "a b"),
    ("ruwiki", "{{нп5|Статья|текст|de|Artikel}} {{число|12345}} {{начало цитаты}}a{{конец цитаты}}", "текст 12 345 a"),
    ("ruwiki", "{{lang-de|Wort}} {{дробь|1|2}} Берли{{ударение}}н", "Wort 1/2 Берли\u0301н"),
    ("srwiki", "({{јез-нем|Berlin}}; {{јез-лат|x}})", "(Berlin; x)"),
    ("srwiki", "-{a}- -{sr-ec:б; sr-el:b}- -{T|c}-d", "a б d"),
    ("huwiki", "{{idézet|a b|c}}", "a b\n\n— c"),
    ("huwiki", "{{szám|12345}} {{#ha:x|a|b}}", "12 345 a"),
    ("cswiki", "{{cizojazyčně|de|Wort}} {{citát|a}}", "Wort\n\na"),
    ("ptwiki", "{{séc|XIX}} {{fmtn|12345|km}}", "século XIX 12345 km"),
    ("ukwiki", "{{lang-ru|слово}} {{число|12345}}", "слово 12 345"),
    ("rowiki", "{{conversie|12|–|14|C|F}}", "12–14 °C"),
]


@pytest.mark.parametrize(("wiki", "wikitext", "text"), TEMPLATES)
def test_templates_that_carry_words_keep_them(wiki, wikitext, text):
    assert text_of(wikitext, wiki) == text


QUOTES = [
    ("'''a''' ''b'' '''''c'''''", "a b c"),
    ("''''a''''", "'a'"),
    ("l''''amour'''", "l'amour"),
    ("l'''amour'' a", "l'amour a"),
    ("don't 'a' rock 'n' roll", "don't 'a' rock 'n' roll"),
    ("'''a\nb''' c", "a b c"),
    ("l{{'}}''amour''", "l'amour"),
]


@pytest.mark.parametrize(("wikitext", "text"), QUOTES)
def test_bold_and_italics_go_and_apostrophes_stay(wikitext, text):
    assert text_of(wikitext) == text


def test_an_elided_article_keeps_its_apostrophe_before_a_bold_word():
    assert text_of("l'''amour''' et '''la''' '''Haine'''", "frwiki") == "l'amour et la Haine"
    assert text_of("the m'''RNA''' and vitamin '''D'''", "enwiki") == "the mRNA and vitamin D"


LINES = [
    ("a\nb\n\nc", "a b\n\nc"),
    ("== a ==\n=== b ===\nc\n== d ==\n{{x}}\n=== e ===\n== f ==\n<references/>", "a\n\nb\n\nc"),
    ("* a\n** b\n# c\n: d\n; e", "a\nb\nc\nd\ne"),
    ("a\n* b\nc", "a\n\nb\n\nc"),
    ("a<br>b<br />c", "a\nb\nc"),
    ("<poem>\na\nb\n</poem>", "a\nb"),
    ("a&nbsp;b&amp;nbsp;c &eacute;&#233;&#xe9;", "a b c ééé"),
    ("H<sub>2</sub>O m<sup>2</sup> <small>a</small> <u>b</u>", "H2O m2 a b"),
    ("a <nothing> b", "a <nothing> b"),
    ("a\n----\nb", "a\n\nb"),
    ("a  \n\n\n\n  b\t c", "a\n\nb c"),
    ("\ud800a\x00b\x07\u200bc\r\n\r\nd\ufeff", "abc\n\nd"),
    ("&#1;&#x81;a", "a"),
    ("<p>a</p><p>b</p>", "a\n\nb"),
    ("a\u200eb \u202bc\u202c\u2069 d\u200de\u200cf", "ab c d\u200de\u200cf"),
    ("== a ==\n{{...}}\n== b ==\n…\n\nc\n\n* –\n* d", "b\n\nc\n\nd"),
    ("a:\n\n 5 LET b\n 6 END\n\nc\n d", "a:\n\n5 LET b\n6 END\n\nc d"),
    ("a\n x {\n y", "a x { y"),
    ("a\n\n f {\n g\n }\nb", "a\n\nf {\ng\n}\n\nb"),
]


@pytest.mark.parametrize(("wikitext", "text"), LINES)
def test_lines_become_paragraphs_items_and_headings(wikitext, text):
    assert text_of(wikitext) == text


def test_formulas_code_and_escaped_characters_stay_and_are_protected():
    wikitext = "a <math>\\{{x}\\}</math> <code><nowiki>[[b]]</nowiki></code> <nowiki>{{c}}</nowiki> &lt;ref&gt; d"
    result = wikitext_to_text(wikitext, names_of("enwiki"))
    assert result.text == "a \\{{x}\\} [[b]] {{c}} <ref> d"
    assert [result.text[start:end] for start, end in result.protected] == ["\\{{x}\\}", "[[b]]", "{{c}}", "<", ">"]
    assert find_leftovers(result, names_of("enwiki")) == []


def test_blocks_of_code_keep_their_lines():
    result = wikitext_to_text(
        "a\n<syntaxhighlight lang=c>\nif (x) {\n    y[[0]];  \n}\n</syntaxhighlight>\nb", names_of("")
    )
    assert result.text == "a\n\nif (x) {\n    y[[0]];\n}\n\nb"
    assert [result.text[start:end] for start, end in result.protected] == ["if (x) {\n    y[[0]];\n}"]


@pytest.mark.parametrize(
    ("wiki", "template"),
    [
        ("enwiki", "{{disambiguation}}"),
        ("enwiki", "{{Disambig|geo}}"),
        ("enwiki", "__DISAMBIG__"),
        ("bgwiki", "{{Пояснение}}"),
        ("cawiki", "{{desambiguació}}"),
        ("cswiki", "{{Rozcestník}}"),
        ("dawiki", "{{flertydig}}"),
        ("dewiki", "{{Begriffsklärung}}"),
        ("eswiki", "{{Desambiguación}}"),
        ("frwiki", "{{Homonymie}}"),
        ("hrwiki", "{{razdvojba}}"),
        ("huwiki", "{{egyért}}"),
        ("itwiki", "{{Disambigua}}"),
        ("nlwiki", "{{dp}}"),
        ("plwiki", "{{Ujednoznacznienie}}"),
        ("ptwiki", "{{Desambiguação}}"),
        ("rowiki", "{{dezambiguizare}}"),
        ("ruwiki", "{{неоднозначность}}"),
        ("slwiki", "{{razločitev}}"),
        ("srwiki", "{{вишезначна одредница}}"),
        ("svwiki", "{{förgrening}}"),
        ("ukwiki", "{{неоднозначність}}"),
    ],
)
def test_disambiguation_pages_are_known_in_every_language(wiki, template):
    assert is_disambiguation(f"'''A''' can be:\n* [[b]]\n{template}", names_of(wiki))
    assert not is_disambiguation("'''A''' is a thing.\n{{Infobox|disambig}}", names_of(wiki))


def test_a_commented_template_makes_no_disambiguation_page():
    assert not is_disambiguation("a <!-- {{disambig}} --> <nowiki>{{disambig}}</nowiki>", names_of("enwiki"))


PLANTED = {
    "[[": "a [[b",
    "]]": "a b]]",
    "{{": "a {{b",
    "}}": "a b}}",
    "{|": "a {| class",
    "|}": "a |}",
    "<ref": "a <ref name=b",
    "html_tag": "a <span style='b'>c",
    "comment": "a <!-- b",
    "switch": "a __INHALTSVERZEICHNIS__",
    "quotes": "a '''b",
    "heading": "a\n== b ==\nc",
    "address": "a https://b.org",
    "file": "a Datei:B c.jpg|mini",
    "category": "a\nKategorie:B",
}


@pytest.mark.parametrize(("kind", "text"), PLANTED.items())
def test_planted_markup_is_found_outside_of_protected_spans_only(kind, text):
    names = names_of("dewiki")
    assert kind in [leftover.kind for leftover in find_leftovers(WikiText(text), names)]
    assert find_leftovers(WikiText(text, ((0, len(text)),)), names) == []


def test_words_that_look_like_markup_are_no_leftovers():
    text = "a [b] {c} <d> x < y, z | w __init__ don't 'n' Kategorie: gut. Die Datei: leer. C:\\x a == b"
    assert find_leftovers(WikiText(text), names_of("dewiki")) == []
