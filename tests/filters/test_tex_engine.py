r"""Expansion agrees with TeX: what each case becomes, by hand, and LaTeX typesets both alike where it is installed.

The boxes that LaTeX makes of a case (``\showbox``) are compared with those of the text written beside it; so the
expected values come from the engine, and are asked of it again wherever ``latex`` is on the path.
"""

import re
import shutil
import subprocess

import pytest

from tests.filters.latex_papers import body

#: What is written, and what becomes of it. Each case stands alone: definitions and uses, then the expansion.
CASES = {
    "no argument": (r"\newcommand{\x}{abc}\x.", "abc."),
    "name without braces": (r"\newcommand\x{abc}\x.", "abc."),
    "star": (r"\newcommand*{\x}[1]{(#1)}\x{a}", "(a)"),
    "robust": (r"\DeclareRobustCommand{\x}{abc}\x.", "abc."),
    "blanks between the parts": ("\\newcommand {\\x} [2] {#2#1}\\x{a}{b}", "ba"),
    "line ends between the parts": ("\\newcommand{\\x}%\n  [1]%\n  {<#1>}\\x{a}", "<a>"),
    "body of one token": (r"\newcommand\x\oe\x.", r"\oe."),
    "optional argument with default": (r"\newcommand{\x}[2][d]{(#1,#2)}\x{a} \x[b]{c}", "(d,a) (b,c)"),
    "optional argument with a group": (r"\newcommand{\x}[1][]{(#1)}\x[{a]b}] \x.", "(a]b) ()."),
    "argument of one token": (r"\newcommand{\x}[2]{#2#1}\x ab \x\oe\ae.", r"ba \ae\oe."),
    "argument in nested braces": (r"\newcommand{\x}[1]{<#1>}\x{{a}{b{c}}}", "<{a}{b{c}}>"),
    "argument on the next line": ("\\newcommand{\\x}[1]{<#1>}\\x\n{a}", "<a>"),
    "call in an argument": (r"\newcommand{\x}[1]{<#1>}\x{a\x{b}\x{\x c}}", "<a<b><<c>>>"),
    "call in a body": (r"\newcommand{\x}[1]{<#1>}\newcommand{\y}[1]{\x{#1}\x{y}}\y{a}", "<a><y>"),
    "defined after its use in a body": (r"\newcommand{\y}{\x!}\newcommand{\x}{abc}\y", "abc!"),
    "two on one line": (r"\newcommand{\x}{a}\newcommand{\y}{b}\x\y", "ab"),
    "nine arguments": (r"\def\x#1#2#3#4#5#6#7#8#9{#9#8#7#6#5#4#3#2#1}\x abcdefghi", "ihgfedcba"),
    "name of a symbol": (r"\def\+{plus}\+\+", "plusplus"),
    "value that is not ASCII": ("\\newcommand{\\x}{\\'eé}\\x", "\\'eé"),
    "escaped braces and percent": (r"\newcommand{\x}[1]{\{#1\%\}}\x{a\}}", r"\{a\}\%\}"),
    "parameter that is none": (r"\newcommand{\x}{a\#1}\x", r"a\#1"),
    "comment in a body": ("\\newcommand{\\x}{a% }\n  b}\\x", "ab"),
    "comment in an argument": ("\\newcommand{\\x}[1]{<#1>}\\x{a% }\n  b}", "<ab>"),
    "paragraph in an argument": ("\\newcommand{\\x}[1]{<#1>}\\x{a\n\nb}", "<a\n\nb>"),
    "blank behind the name": (r"\newcommand{\x}{abc}\x d \x{} e \x\ f", r"abcd abc{} e abc\ f"),
    "line end behind the name": ("\\newcommand{\\x}{abc}a \\x\nd", "a abcd"),
    "empty line behind the name": ("\\newcommand{\\x}{abc}\\x\n\nd", "abc\n\nd"),
    "word before a letter": (r"\newcommand{\x}{\oe}\x d", r"\oe d"),
    "word before a letter in a body": (r"\newcommand{\x}[1]{\oe#1}\x d\x{\ae}.", r"\oe d\oe\ae."),
    "argument before a letter": (r"\newcommand{\x}[1]{#1s}\x\oe", r"\oe s"),
    "argument before a blank": (r"\newcommand{\x}[1]{#1 is}\x{\LaTeX}", r"\LaTeX{} is"),
    "body before a blank": (r"\newcommand{\x}[1]{#1\LaTeX}\x{a} b", r"a\LaTeX{} b"),
    "blank that ends a body": (r"\newcommand{\x}{a }\x b", "a b"),
    "blanks around a body": ("\\newcommand{\\x}[1]{\n  <#1>\n}a\\x bc", "a <b> c"),
    "blank behind a word that ends a body": ("\\newcommand{\\x}{\\oe }\\x{}b", r"\oe{}b"),
    "in mathematics": (r"\newcommand{\x}[1]{\mathbf{#1}}$\x y+\x{z}^2$", r"$\mathbf{y}+\mathbf{z}^2$"),
    "blank in mathematics": (r"\newcommand{\x}[1]{#1 +b}$\x\alpha$", r"$\alpha +b$"),
    "fraction of a macro": (r"\newcommand{\x}{12}$\frac\x3$", r"$\frac{12}3$"),
    "operator": (r"\DeclareMathOperator{\oper}{ab}$\oper y$", r"$\operatorname{ab}y$"),
    "operator with limits": (r"\DeclareMathOperator*{\limit}{ab}$\limit_y z$", r"$\operatorname*{ab}_y z$"),
    "def": (r"\def\x{abc}\x.", "abc."),
    "def with arguments": (r"\def\x#1#2{#2,#1}\x ab", "b,a"),
    "def with delimiters": (r"\def\x(#1,#2){#2;#1}\x(a,{b,)})", "b,);a"),
    "def up to a point": (r"\def\x#1.{<#1>}\x abc. d", "<abc> d"),
    "def up to a word": (r"\def\x#1\end#2{<#1|#2>}\x a b\end cd", "<a b|c>d"),
    "def up to a blank": (r"\def\x#1 {<#1>}\x abc d", "<abc>d"),
    "def up to a brace": (r"\def\x#1#{<#1>}\x ab{c}", "<ab>{c}"),
    "delimited argument in braces": (r"\def\x#1.{<#1>}\x{a.b}.", "<a.b>"),
    "long def": ("\\long\\def\\x#1{<#1>}\\x{a\n\nb}", "<a\n\nb>"),
    "definition in a body": (r"\def\x#1{\def\y##1{##1#1}}\x a\y b", "ba"),
    "gdef in a group": (r"{\gdef\x{abc}}\x", "{}abc"),
    "global def in a group": (r"{\global\def\x{abc}}\x", "{}abc"),
    "global long def": (r"{\global\long\def\x#1{<#1>}}\x a", "{}<a>"),
    "edef": (r"\def\y{a}\edef\x{\y\y}\def\y{b}\x\y", "aab"),
    "xdef": (r"\def\y{a}{\xdef\x{\y}}\def\y{b}\x\y", "{}ab"),
    "let": (r"\def\y{a}\let\x\y\def\y{b}\x\y", "ab"),
    "let with a sign": (r"\def\y{a}\let\x = \y\def\y{b}\x\y", "ab"),
    "let to a command": (r"\let\x\textbf\x{a}", r"\textbf{a}"),
    "let to a character": (r"\let\x=a\x\x", "aa"),
    "the old meaning kept": (r"\let\old\LaTeX\renewcommand{\LaTeX}{(\old)}\LaTeX", r"(\LaTeX)"),
    "the old meaning in an argument": (
        r"\let\old\textbf\renewcommand{\textbf}[1]{\old{\itshape #1}}\textbf{a}",
        r"\textbf{\itshape a}",
    ),
    "renewcommand": (r"\newcommand{\x}{a}\x\renewcommand{\x}{b}\x", "ab"),
    "newcommand of what there is": (r"\newcommand{\x}{a}\providecommand{\x}{b}\x", "a"),
    "a command of LaTeX renewed": (r"\renewcommand{\oe}{b}\oe", "b"),
    "within a group": (r"\def\x{a}{\def\x{b}\x}\x", "a{b}a".replace("a{", "{", 1)),
    "within begingroup": (r"\def\x{a}\begingroup\def\x{b}\x\endgroup\x", r"\begingroup b\endgroup a"),
    "within an environment": (
        r"\def\x{a}\begin{center}\def\x{b}\x\end{center}\x",
        r"\begin{center}b\end{center}a",
    ),
    "within mathematics": (r"\def\x{a}$\def\x{b}\x$\x", "$b$a"),
    "groups in groups": (r"\def\x{a}{\def\x{b}{\def\x{c}\x}\x}\x", "{{c}b}a"),
    "environment": (
        r"\newenvironment{x}{\begin{center}(}{)\end{center}}\begin{x}a\end{x}",
        r"\begin{center}(a)\end{center}",
    ),
    "environment with arguments": (
        r"\newenvironment{x}[2][d]{\begin{center}#1#2:}{\end{center}}\begin{x}{a}b\end{x}\begin{x}[c]{a}b\end{x}",
        r"\begin{center}da:b\end{center}\begin{center}ca:b\end{center}",
    ),
    "environment that sets": (r"\newenvironment{x}{\itshape}{!}\begin{x}a\end{x}b", r"{\itshape a!}b"),
    "environment in itself": (
        r"\newenvironment{x}{(}{)}\begin{x}a\begin{x}b\end{x}\end{x}",
        "{(a{(b)})}",
    ),
    "environment renewed": (
        r"\newenvironment{x}{(}{)}\renewenvironment{x}{[}{]}\begin{x}a\end{x}",
        "{[a]}",
    ),
    "environment made with def": (r"\def\x{(}\def\endx{)}\begin{x}a\end{x}", "{(a)}"),
    "environment that sets in its beginning": (
        r"\newenvironment{x}[1]{\def\y{#1}(}{\y)}\begin{x}{b}a\end{x}",
        "{(ab)}",
    ),
    "begin in a macro": (r"\def\x{\begin{center}}\def\y{\end{center}}\x a\y", r"\begin{center}a\end{center}"),
    "begin behind a macro": (r"\def\x{\begin}\x{center}a\end{center}", r"\begin{center}a\end{center}"),
    "iffalse": (r"a\iffalse b\iftrue c\fi\else d\fi e", "ade"),
    "iftrue": (r"a\iftrue b\iffalse c\else d\fi\else e\fi f", "abdf"),
    "newif": (r"\newif\ifx@\makeatletter", None),
    "conditional of a user": (r"\newif\ifmine\ifmine a\else b\fi\minetrue\ifmine a\else b\fi", "ba"),
    "conditional in a group": (r"\newif\ifmine{\minetrue\ifmine a\else b\fi}\ifmine a\else b\fi", "{a}b"),
    "if of characters": (r"\if aa1\else 2\fi\if ab1\else 2\fi", "12"),
    "if of a blank": ("\\if 0\na\\else b\\fi", "b"),
    "ifnum": (r"\ifnum 1<2 a\else b\fi\ifnum 1=2 a\else b\fi\ifnum3>2a\fi", "aba"),
    "if of macros": (r"\def\x{ab}\if a\x 1\else 2\fi\def\y#1{#1}\if\y aa3\else 4\fi", "b13"),
    "if of a macro let": (r"\def\x{*}\let\y=*\let\z=/\if\x\y 1\else 2\fi\if\x\z 1\else 2\fi", "12"),
    "if in the test of an if": (
        r"\def\x{\if\y a\else b\fi}\def\y{cc}\if a\x 1\else 2\fi\def\y{cd}\if a\x 1\else 2\fi",
        "12",
    ),
    "ifnum of macros": (
        r"\def\x{1}\def\y{<\z}\def\z{1\x}\ifnum\x\y a\else b\fi\ifnum\z<\x\x\x a\else b\fi",
        "aa",
    ),
    "ifx": (r"\def\x{a}\def\y{a}\def\z{b}\ifx\x\y 1\else 2\fi\ifx\x\z 1\else 2\fi", "12"),
    "ifx of an undefined one": (r"\ifx\undefinedone\undefined 1\else 2\fi", None),
    "empty argument": (r"\def\x#1{\ifx\\#1\\empty\else full\fi}\x{}\x{a}", "emptyfull"),
    "ifmmode": (r"\def\x{\ifmmode a\else b\fi}\x$\x\mbox{\x}\x$\x", r"b$a\mbox{b}a$b"),
    "lookahead": (
        r"\makeatletter\def\x{\@ifnextchar[{\y}{\y[d]}}\def\y[#1]#2{(#1,#2)}\makeatother\x{a}\x[b]{c}",
        "(d,a)(b,c)",
    ),
    "star looked for": (r"\makeatletter\def\x{\@ifstar{S}{N}}\makeatother\x*a\x b", "SaNb"),
    "csname": (r"\expandafter\def\csname xy\endcsname{abc}\xy.", "abc."),
    "loop to its own end": (
        r"\def\x#1{\ifx#1\stop\else(#1)\expandafter\x\fi}\def\stop{}\x abc\stop.",
        "(a)(b)(c).",
    ),
    "future token": (
        r"\makeatletter\def\x{a\futurelet\@let@token\y}\def\y{\ifx\@let@token.\else.\fi}\makeatother\x. \x, \x b",
        "a. a., a.b",
    ),
    "document command": (
        r"\NewDocumentCommand{\x}{s O{d} m o}{\IfBooleanTF{#1}{*}{-}#2#3\IfValueTF{#4}{#4}{?}}\x{a}\x*[b]{c}[e]",
        "-da?*bce",
    ),
    "body on lines of its own": ("\\def\\x#1{%\n  (#1)%\n}\\x{a} b\\x{%\n  a%\n  }", "(a) b(a)"),
    "comment behind a word": ("a\\oe% c\n  b", "a\\oe\n  b"),
    "comment behind a letter": ("a% c\n  b", "ab"),
    "comment behind a blank": ("a % c\n  b", "a\n  b"),
    "comment of a line": ("a\n% c\n  % d\nb", "a\nb"),
    "comment before an empty line": ("a% c\n\nb", "a\n\nb"),
    "percent escaped, percent behind a line break": ("a\\% b\\\\% c\nd", "a\\% b\\\\d"),
    "verbatim": (r"\def\x{a}\verb|%\x|\x", r"\verb|%\x|a"),
    "verbatim environment": (
        "\\def\\x{a}\n\\begin{verbatim}\n% \\x\n\\end{verbatim}\n\\x",
        "\\begin{verbatim}\n% \\x\n\\end{verbatim}\na",
    ),
    "ensuremath": (r"\def\x{\ensuremath{a}}\x$\x$", r"\ensuremath{a}$a$"),
}
#: Cases that LaTeX answers with an error, or that are not decided here.
UNDECIDED = [name for name, (_, expected) in CASES.items() if expected is None]
#: What LaTeX takes in the preamble only.
_OPERATOR = re.compile(r"\\DeclareMathOperator\*?\{.*?\}\{.*?\}")
PREAMBLE = "\\documentclass{article}\n\\usepackage{amsmath}\n\\usepackage[T1]{fontenc}\n\\begin{document}\n"


@pytest.mark.parametrize("name", [name for name in CASES if name not in UNDECIDED])
def test_expands_as_by_hand(name):
    source, expected = CASES[name]
    assert body(source) == expected


@pytest.fixture(scope="module")
def boxes(tmp_path_factory):
    """The box that LaTeX makes of each case, and of what it becomes, in one run."""
    if shutil.which("latex") is None:
        pytest.skip("no latex on the path")
    folder = tmp_path_factory.mktemp("latex")
    operators = [found[0] for source, _ in CASES.values() for found in _OPERATOR.finditer(source)]
    parts = [
        PREAMBLE.replace("\\begin{document}", "\n".join((*operators, "\\begin{document}"))),
        "\\showboxdepth=9999 \\showboxbreadth=9999 \\tracingonline=0\n",
    ]
    for source, expected in CASES.values():
        if expected is not None:
            for text in (source, expected):
                parts.append(_shown(text))
    (folder / "cases.tex").write_text("".join((*parts, "\\end{document}\n")), encoding="utf-8")
    subprocess.run(
        ["latex", "-interaction=nonstopmode", "cases.tex"], cwd=folder, capture_output=True, check=False, timeout=120
    )
    log = (folder / "cases.log").read_text(encoding="utf-8", errors="replace")
    return [_box(part) for part in log.split("==CASE")[1:]]


def _shown(text: str) -> str:
    """Have LaTeX show the box that a text makes, ``\\x``, ``\\y`` and ``\\z`` being free again."""
    return (
        "\\global\\let\\x\\undefined\\global\\let\\y\\undefined\\global\\let\\z\\undefined\\typeout{==CASE}"
        f"\\setbox0\\vbox{{\\hsize=300pt\n{_OPERATOR.sub('', text)}\n}}\\showbox0\n"
    )


def _box(log: str) -> str:
    """Give the box shown in a part of a log; an error before it is part of it."""
    errors = re.findall(r"^! (?!OK).*", log.partition("> \\box0=")[0], re.MULTILINE)
    return "\n".join((*errors, log.partition("> \\box0=")[2].partition("! OK")[0].strip()))


def test_latex_typesets_each_case_as_what_it_becomes(boxes):
    cases = [name for name in CASES if name not in UNDECIDED]
    assert len(boxes) == 2 * len(cases)
    differ = {name for name, one, other in zip(cases, boxes[::2], boxes[1::2], strict=True) if one != other or not one}
    assert differ == set()
