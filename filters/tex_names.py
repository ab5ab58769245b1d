"""Names of TeX and LaTeX that the reader of papers knows: of sections, of verbatim text, of what keeps its meaning."""


def names(text: str) -> frozenset[str]:
    """Read a list of names."""
    return frozenset(text.split())


#: Commands that begin a section: LaTeX's, KOMA-Script's, harvmac's, plain TeX's and AMS-TeX's.
SECTIONS = names(
    """part chapter section subsection subsubsection paragraph subparagraph addsec addchap addpart
    newsec subsec subsubsec beginsection heading head"""
)

#: Environments whose text is not read.
VERBATIM = names(
    """verbatim verbatim* Verbatim Verbatim* BVerbatim LVerbatim SaveVerbatim lstlisting minted alltt spverbatim
    verbatimtab semiverbatim filecontents filecontents* tcblisting pyconsole sagecode sageblock luacode luacode* asy"""
)
#: Commands that make a user's environment one of these.
VERBATIM_MAKERS = names("verbatim Verbatim lstlisting obeylines VerbatimOut alltt")

#: Environments of mathematics.
MATH = names(
    """equation equation* eqnarray eqnarray* align align* gather gather* multline multline* alignat alignat* flalign
    flalign* math displaymath dmath dmath*"""
)

#: Commands whose argument is text in mathematics.
TEXT_IN_MATH = names(
    "text mbox hbox textrm textbf textit textsf texttt textsc textnormal intertext shortintertext fbox tag"
)

#: Commands whose argument may be one token without braces, and those that have two.
TAKES_ONE = names(
    """sqrt overline underline hat bar vec tilde dot ddot dddot acute grave breve check ring mathring widehat widetilde
    overrightarrow overleftarrow overbrace underbrace mathbf mathrm mathcal mathbb mathit mathsf mathtt mathfrak
    mathscr boldsymbol bm pmb operatorname mathop mathbin mathrel mathord text textbf textit textrm textsf texttt
    textsc textsl textup textnormal emph mbox hbox fbox phantom hphantom vphantom substack cancel section subsection
    subsubsection footnote caption"""
)
TAKES_TWO = names("frac dfrac tfrac cfrac binom dbinom tbinom overset underset stackrel genfrac textcolor colorbox")

#: Names whose meaning no user changes here.
PROTECTED = SECTIONS - names("subsec subsubsec heading head newsec") | names(
    """begin end item document enddocument documentclass documentstyle title author date thanks abstract maketitle
    caption label ref eqref pageref autoref cref Cref cite citep citet citealp citealt citeauthor citeyear footnote
    footnotetext bibitem bibliography bibliographystyle printbibliography thebibliography endthebibliography appendix
    tableofcontents includegraphics input include subfile import newcommand renewcommand providecommand def gdef edef
    xdef let long global newenvironment renewenvironment newif if ifx ifnum ifdim iftrue iffalse else fi or relax par
    hbox vbox left right verb usepackage RequirePackage PassOptionsToPackage bgroup egroup begingroup endgroup
    newtheorem csname endcsname expandafter makeatletter makeatother bye"""
)
#: Names that mean something before a paper provides them.
PROVIDED = PROTECTED | names(
    "url href path doi texttt textbf textit emph textsc mathbb mathbf mathcal text bm boldsymbol"
)
#: Names of LaTeX's looks, which a package beside a paper may change: what stands in the paper is not that.
LOOKS = names(
    """quote quotation verse center flushleft flushright titlepage list trivlist minipage tabbing picture proof theorem
    enumerate itemize description equation eqnarray displaymath tabular array footnoterule arraystretch baselinestretch
    figurename tablename refname bibname abstractname contentsname appendixname chaptername partname indexname today
    labelitemi labelitemii labelenumi labelenumii topfraction bottomfraction textfraction floatpagefraction
    thefootnote thefigure thetable theequation thesection thesubsection thesubsubsection thepage
    normalsize small footnotesize scriptsize tiny large Large LARGE huge Huge rm bf it sl sc tt sf cal"""
)
#: Environments whose meaning no user changes here.
PROTECTED_ENVIRONMENTS = names(
    """document abstract thebibliography figure figure* table table* equation equation* align align* itemize enumerate
    description tabular array verbatim lstlisting minted comment references"""
)

#: What is worked out while TeX runs, and not here. A macro that uses one of these is left as it is written.
MACHINERY = names(
    """advance afterassignment aftergroup batchmode catcode closein closeout csname divide edef endcsname endgraf
    everypar expandafter expanded gdef ifcase ifcat ifcsname ifdim ifeof ifhbox ifhmode ifinner ifodd ifvbox
    ifvmode ifvoid immediate lccode loop lowercase mathcode meaning multiply noexpand number numexpr obeylines
    obeyspaces openin openout read repeat romannumeral scantokens string the uccode unexpanded uppercase verb verbatim
    write xdef lstinline dimexpr detokenize ExplSyntaxOn ifthenelse ifstrequal whiledo forloop foreach
    newcount newdimen newtoks newbox newskip newread newwrite"""
)

#: Names of LaTeX's internals that mean no harm in a user's macro, being marks only.
HARMLESS = names("@let@token @undefined @nil @nnil @end @tempa @tempb @xspace")

#: Names that open a conditional, so that its end can be found.
CONDITIONALS = names(
    """if ifcat ifx ifnum ifdim ifodd ifcase iftrue iffalse ifmmode ifhmode ifvmode ifinner ifvoid ifhbox ifvbox ifeof
    ifdefined ifcsname iffontchar ifpdf ifxetex ifluatex ifpdftex"""
)

#: Commands that make a bibliography or belong to one, and how many arguments in braces they have.
BIBLIOGRAPHY = {
    **dict.fromkeys(sorted(names("bibliography bibliographystyle nocite addbibresource")), 1),
    **dict.fromkeys(sorted(names("printbibliography listrefs listrefsr putbib printbibheading")), 0),
}
BIBLIOGRAPHY_ENVIRONMENTS = names("thebibliography references REFERENCES biblist biblist* bibdiv chapthebibliography")

#: What defines a macro.
DEFINING = names(
    """newcommand renewcommand providecommand DeclareRobustCommand def gdef edef xdef let DeclareMathOperator
    newenvironment renewenvironment newif NewDocumentCommand RenewDocumentCommand DeclarePairedDelimiter"""
)
