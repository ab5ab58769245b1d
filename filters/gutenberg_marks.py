"""The marks and phrases by which Project Gutenberg's own text is told from a book's.

Gathered from its files of 1991 to 2020: the header and "small print" of the 1990s, the footer that took their place in
2001, the licence of 2003 and later, and the forms of its sisters in Germany, Australia and Canada. All are tried on
text in lower case.
"""

import re

_START = r"[^\w*]*+\*\W*+start of (?:the |this )?(?:copyrighted )?project gutenberg"
_SMALL_PRINT_ENDS = r"\W*+end\W*+(?:of )?(?:the )?small print"

#: The last line of a header, or the first of its last lines.
HEAD_END = re.compile(f"{_START}|{_SMALL_PRINT_ENDS}")
#: The first line of a footer.
TAIL_BEGIN = re.compile(
    r"\W*+(?:this is )?(?:the |this )?(?:end|ende|fin|fine|einde|slut|loppu)\b[^.!?]{0,60}?"
    r"\b(?:projet gutenberg|proje[ck]t gutenberg|proyecto gutenberg|gutenberg[- ]projekt|gutenberg e-?text)"
)

#: Who and where: a paragraph that has one of these may speak of Project Gutenberg as any book may.
_NAMES = r"""
proje[ck]t gutenberg
proyecto gutenberg
gutenberg[- ]projekt
projet gutenberg
promo\.net/pg
gutenberg\.(?:org|net|ca|aol|spiegel)
gutenberg (?:literary )?archive
pglaf
michael (?:s\. )?hart
gutenberg e-?text
\[?e-?(?:text|book) ?(?:#|no\.)
\be-?texts\b
gutindex
pobox\.com
prairienet
carnegie.?mellon
"""
#: What only the licence says, its header, or what was put between them, by age and place.
_PHRASES = r"""
gutenberg[- ]tm
copyright laws are changing
look at the important information
keep this file on your own disk
electronic path open
readable by both humans
plain vanilla
of volunteers and donations
information on contacting
this file should be named
corrected editions of our
versions based on sep
usually created from (?:multiple|several)
created from several printed
one month in advance
of the official release dates?
neither this list nor its contents
midnight, central time
two million dollars for each hour
trillion e-?text
rates of production
need your donations
all donations should be
for these and other matters
when all other (?:e-?)?mail
your mail bounces
send you this information by
ftp (?:session|program|sunsite|uiarchive|to |://)
login: anonymous
cd pub/docs
dir \[to (?:see|get)
mac users, do not
legal (?:advisor|small print)
^\W*+three pages\W*+$
^\W*+tax returns
donations? (?:by|to) (?:check|the|pro)
header should be the first thing
your specific rights
extended ascii characters
[78]-? ?bit (?:version|ascii)
accepts contributions
contributions are being solicited
filed in all (?:50|fifty)
requirements for other states
various questions we have received
finishing the paperwork
international donations
prof(?:\.|essor) hart
wire transfer or payment
first five letters of the file
record of our progress
^\W*+ebooks year month
1971 july
donation information
ebooks posted (?:prior|since)
\be(?:text|book)[09]\d\b
more information about this book is
we have not met the solicitation
tax treatment of
additional contact information
^\W*+please read this before
small print
this e-?(?:text|book)
medium (?:they|it) may be on
limited warranty
indemni(?:fy|ty)
replacement or refund
if you discover a defect
disclaimers? of (?:certain )?implied
public domain\W? (?:in|work|e)
exact copies of it
clearly readable
readily converted by
plain ascii form
honor the e-?
trademark licen[sc]e
royalt(?:y|ies) (?:is|are)
copyright royalties
\*?want\*? to send money
consequential, punitive
electronic texts?
full license
use of anyone anywhere
restrictions whatsoever
not located in the united states
updated editions will replace
electronic works?\b
^\W*+(?:section [1-5]\.|1\.[a-f]\.)
\(?and you!?\)
limitation of damages
paragraph 1\.
derivative works
501\(c\)\(3\)
internal revenue
most people start at our
solicit donations
tax deductible
you may copy it, give it away
volunteers and financial support
official version posted
hypertext form
associated files of various
made available at no cost and with
distributed proofreaders
ebooks are created from printed editions
^\W*+e?book no\.
date (?:first|most recently|last|of first) (?:posted|updated|publication)
faded page ebook
copyright laws? (?:in|of) your country
"""
_FIELDS = (
    r"^\W*+(?:title|authors?|editors?|translators?|illustrators?|release date|posting date|first posted|language"
    r"|last updated|character set encoding|edition|credits|date|producer|original publication|subject):"
)
NAME = re.compile("|".join(_NAMES.split("\n")[1:-1]))
#: What makes a paragraph the licence's.
LICENCE = re.compile("|".join([_FIELDS, *_PHRASES.split("\n")[1:-1]]))

_FILE = r"(?:e-?texts?|e-?books?|files?|html(?: version)?|plain text)"
_PRINTED = r"(?:text|book|edition|transcription|version)"
#: What is done to files only.
_TYPED = r"(?:scanned|digiti[sz]ed|proof(?:ed|read)|keyed|ocr.?e?d)"
#: What is done to files, and to books, records and plays as well.
_MADE = r"(?:produced|prepared|transcribed|created|typed|converted|donated|contributed|submitted|encoded)"
#: What editors did to the printed book: a credit only where it says that a file was made.
_MADE_ALSO = r"(?:edited|entered|compiled|generated|adapted|provided|corrected|formatted|updated)"
_IS = r"(?:was |were |is |has been |have been )?(?:originally )?"
_BY = r"\b[^.]{0,80}?(?:\b(?:by|from|for|through|with)\b|\. ?\.)"
_THIS = r"\W*+(?:(?:this|the|an?|special) )*(?:project gutenberg(?:'s)? |gutenberg )?"
#: The first words of a paragraph that says who made the file, where a book begins or ends.
CREDIT = re.compile(
    rf"{_THIS}(?:{_FILE} {_IS}(?:{_TYPED}|{_MADE}|{_MADE_ALSO})|(?:{_PRINTED} {_IS})?(?:originally )?{_TYPED}){_BY}"
)
#: Those that may also say who made the printed book, put a play on, or be words of the book.
LIKELY_CREDIT = re.compile(rf"{_THIS}(?:{_PRINTED} {_IS})?(?:originally )?{_MADE}{_BY}")
#: What makes such a paragraph a credit wherever it stands.
CONTACT = re.compile(r"@|https?:|www\.|\be-?mail\b|proof-?read|\bscann|volunteer|david widger|david price|\bocr\b")
#: What a paragraph says of how the file was made, where a book begins or ends.
CREDIT_PHRASE = re.compile(
    r"proje[ck]t gutenberg|gutenberg[- ]projekt|projet gutenberg|gutenberg\.(?:org|net)|distributed proofread"
    r"|proofreading team|pgdp|internet archive|archive\.org|\be-?texts?\b|second proof by|anonymous volunteer"
    r"|volunteers?, and david widger|html version|page images|[78]-? ?bit (?:version|ascii)|standard ebooks"
    r"|this (?:utf-8|ascii|plain text)|this book is written in german|gallica\.bnf|freeliterature\.org"
    r"|^\[(?:the )?end of [^\]]{1,200}\]$|note from the original file|version électronique"
)
#: The heading, or the first words, of notes by those who made the file.
NOTE = re.compile(
    r"\W*+(?:original )?(?:(?:transcriber|preparer|proofreader|etext editor|digiti[sz]er|project gutenberg editor)"
    r"[’'`´]?s?[’']?,?|transcription)"
    r"\s*(?:end)?notes?\b|\W*+note(?:s)? (?:by|from|of) the transcriber|\W*+notes? (?:du|de la) transcript"
    r"|\W*+anmerkungen? (?:zur transkription|de[rs] bearbeiters)|\W*+e-?text editor.?s bookmarks"
    r"|\W*+typographical errors corrected by the|\W*+liste des modifications|(?P<preface>\W*+au lecteur$)"
)
#: The upper or lower border of a box drawn around notes.
BOX = re.compile(r"\s*[+|*=_#~-]{8,}\s*$")
#: Words of which notes have some, which a table of contents that lists them does not.
NOTE_WORDS = re.compile(
    r"\b(?:text|edition|transcri\w+|italics?|spelling|punctuation|corrected|errors?|original|version|page [\divxl]+"
    r"|change[sd]|mark-?up|typos?|électronique|modifi\w+|hyphen\w*|underscores?|illustrations?|footnotes?|orthographe|rechtschreibung)\b"
)
#: Words of which a note has some that is headed as prefaces are.
FILE_WORDS = re.compile(r"électronique|num[ée]ri[sq]|gutenberg|transcri|ponctuation")
#: Blocks inside a body: those of the World Library's Shakespeare.
INSERT_BEGIN, INSERT_END = "<<this electronic version", ">>"

#: What finds a place worth a look; plain strings, found at the speed of memory.
NEEDLES = (
    "distributed proofread",
    "faded page",
    "gutenberg",
    "small print",
    "pglaf",
    "etext",
    "e-text",
    "<<this electronic version",
    "transcriber",
)
SIGNS = ("project gutenberg", "projekt gutenberg", "gutenberg projekt", "gutenberg-tm", "pgdp", "distributed proofread")
