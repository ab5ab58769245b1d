"""The texts on which an engine must give SentencePiece's ids before it is used: a fixed battery and a model's pieces.

They hold what engines were seen to differ on, or might: spaces and line ends in runs and at the ends, controls, digits
of several scripts, characters without a piece, combining marks, joined emoji, repetitions and long words.
"""

from collections.abc import Iterator, Sequence

_FIRST_PIECES, _LAST_PIECES = 300, 100

_SPACES = (
    "",
    " ",
    "  ",
    "   ",
    "\n",
    "\n\n",
    " \n ",
    "\t",
    "\0",
    "a",
    " a",
    "a ",
    "  a  b   c    d     e ",
    "a\n b\n  c\n\n\nd \n e\r\nf\tg",
    " " * 15 + "x" + " " * 16 + "y" + " " * 17 + "z" + " " * 100,
    "\u2581",
    "a\u2581b \u2581 c\u2581\u2581d",
    "\u00a0\u2000\u2003\u200b\u200d\u2028\u2029\u3000\ufeff\u0085",
)
_CHARACTERS = (
    "".join(map(chr, range(0x80))),
    "".join(map(chr, range(0x80, 0x180))),
    "0123456789 10 100 1000 3.14 1,000,000 2023-06-01",
    "\uff10\uff11\uff12 \u0660\u0661\u0662 \u0966\u0967\u0968 \u00b2\u00bd \u2167 \u4e00\u4e8c\u4e09",
    "e\u0301 \u00e9 \ufb01 \uff21 \u1e9b\u0323 \u212b",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd",
    "\U0010ffff\ufffd\uffff\ue000 \u2585\u2047",
)
_WORDS = (
    "The quick brown fox jumps over the lazy dog. THE QUICK BROWN FOX! It's “quoted”—isn't it?",
    "Der Fluss stieg um zwölf Fuß; Übergrößenträger. Le meunier tenait son registre près de la fenêtre.",
    "Мельник вёл книгу у окна. Το ποτάμι ανέβηκε. მდინარე გետ",
    "吾輩は猫である。名前はまだ無い。 강물이 불었다. النهر مرتفع הנהר नदी แม่น้ำสูงขึ้น",
    "def f(x):\n\tif x != None and x >= 0:\n\t\treturn x ** 2  # square\n    return {'a': [1, 2], \"b\": (3,)}\n",
    "\\begin{equation}\n  \\sum_{i=0}^{n} x_i^{2} \\le \\frac{1}{2}\n\\end{equation}",
    '<p class="a">&amp; &lt;b&gt;</p> https://example.org/a/b?c=d&e=%20f#g user@example.org',
)
_REPEATED = (
    *(letter * count for letter in "aeo=-_.*#" for count in (2, 3, 5, 7, 16, 17, 33, 100)),
    "ab" * 50,
    "aab" * 40,
    "the" * 60,
    "abcdefghijklmnopqrstuvwxyz" * 20,
    "antidisestablishmentarianism" * 5,
    "word " * 200,
)

BATTERY = (*_SPACES, *_CHARACTERS, *_WORDS, *_REPEATED)


def around_pieces(pieces: Sequence[str]) -> Iterator[str]:
    """Yield texts that spell out a model's first and last pieces, where those that were not learned stand.

    Args:
        pieces: The vocabulary.

    Yields:
        A text for each piece: inside a word, alone, and twice.
    """
    for piece in dict.fromkeys([*pieces[:_FIRST_PIECES], *pieces[-_LAST_PIECES:]]):
        yield f"a{piece}b {piece} {piece}{piece}"
