r"""Which templates carry words, and what they show: names as data.

A template that is named here shows words of the article and is rendered; all others are taken out: infoboxes,
navigation, references, maintenance. Names are in lower case. What a template shows is written so:

    ``{text|1}``   the first of these arguments that is not empty
    ``[ (...)]``   only where no argument inside is empty
    ``@name:rest`` a function of :mod:`filters.wikitext_measures`, ``_dates``, ``_centuries`` or ``_words``
    ``@unknown``   a number that only other pages have
    ``\n``         a new paragraph
    other text     itself

:data:`ANYWHERE` holds in every language, since most wikis have English names beside their own; :data:`LOCAL` goes
before it. :data:`PREFIXES` are beginnings of names, such as of ``lang-fr``.
"""

#: What is shown, and the names of the templates that show it, parted by ``|``.
ANYWHERE: dict[str, str] = {
    # A text and its looks
    "{1}": (
        "nowrap|nobr|nobreak|no wrap|small|smaller|big|bigger|larger|large|resized|nobold|noitalic|normal|em|"
        "strong|bold"
        "|italic|italics|strike|underline|u|smallcaps|small caps|sc|smallcaps all|aut|kbd|samp|var|tt|mono|mvar|sup|sub"
        "|abbr|abbreviation|tooltip|hover title|unicode|awrap|longitem|lj|midsize|smalldiv|center|block center|left|"
        "xt|mxt|!xt|visible anchor|vanchor|plainlist|flatlist|columns-list|col-list|div col list|flag|flagu|flagcountry"
        "|flaglist|noflag|flag+link|country|polytonic|iast|nastaliq|hebrew|arabic|chem2|angbr ipa|ipa link|ipalink"
        "|citation needed span|cns|fact span|clarify span|disputed inline span|chem name|not a typo|proper name|"
        "as written"
        "|typo|bdi|rtl|ltr|dfn|def|q|text|notatypo|mlb year|baseball year|mlby|by|nfl year|nfly|nhly|nbay|wsy|avyear"
        "|format price|formatprice|hidden text|linktext|red|green|blue|gray|overline|overset|mathcal|nums|no spam"
        "|musical note|mono font|monospace|code text|stress|phonetic|not typo|okay|keep|hangingindent|hanging indent"
        "|collapse|nq|poem|verse|lyrics|normalsize|spaced|nsmdns|tlit|wiktionary link|wt|definition|keep together"
        "|fs90|fs interval"
    ),
    "{1|code}": "code|codett|inline code|mono code",
    "{2|text}": "lang|rtl-lang|script|ltr-lang|text language|langx|lang-x|language text",
    "@last": (
        "transl|transliteration|color|colour|font color|fontcolor|font colour|resize|font|fontsize|font size|tcolor"
    ),
    "{2}": ("sort|h:title|background color|colored text|bgcolor|font-size|abbrlink|sort key|colour box text|cdot text"),
    "@audio": "audio|аудио|аудіо",
    "{2|1}": "link|wikidata link|color box|legend|legend inline|legend2",
    "@language_link": "ill|interlanguage link|illm|ill2|interlanguage link multi|ill-wd|link-interwiki|red link",
    "{1} {2}": "sortname|hs name|person name",
    "[“{1}”]": "qq|quote inline|inline quote|double quote",
    # Quotations
    "\n{text|quote|quotetext|1}\n[— {author|by|sign|cite|2}[, {source|title|3}]]\n": (
        "quote|blockquote|cquote|quotation|bquote|centered pull quote|pull quote|quote box|quotebox|quote frame|"
        "quoteright"
        "|block quote|long quote|imgquote|quote2"
    ),
    "\n{2|text}\n[— {3}]\n": "rquote|right quote",
    "\n{text|1}\n[— {author|char|2}]\n": "poemquote|poem quote|poem2|verse quote|script quote",
    "\n{1}\n{2}\n": "verse translation|text and translation",
    # Numbers, units, formulas
    "@convert": "convert|cvt|conv|convertabbr|unit convert|convert/spell",
    "@fraction": "frac|sfrac|fraction|fract|vulgar fraction|sfrac2",
    "@value": "val|value|valunit",
    "@number": "formatnum|number|num|nts|ntsh|ntsc|format number|nombre",
    "{1|big}": "math|big math|bigmath|tmath|math2|var serif|serif",
    "@join:": "chem|chem|su|bra-ket|linktexts|nuclide2",
    "@join: ": "gaps|spaced list|nowrap list",
    "@join:-": "respell|pronunciation respelling|pronrespell",
    "@join:+": "key press|keypress|key|key combination|keyboard",
    "@join:, ": "hlist|horizontal list|cslist|comma separated entries|flatlist2|hl",
    "@lines": (
        "unbulleted list|ubl|ublist|unbullet|vunblist|ubil|bulleted list|bullet list|blist|ordered list|olist|"
        "indented plainlist"
        "|tree list|plain list|vlist|collapsible list|startflatlist"
    ),
    "[{1}-{2}]": "nuclide|isotope",
    "[×10^{1}]": "e|esp|x10^|×10^",
    "[10^{1}]": "10^|ten to the power of",
    "√{1}": "sqrt|radic|root",
    "@height": "height|hgt",
    "[{1}[ {2}]]": "unité|unit|unidad|unitats",
    "US${1}": "us$|usd|us dollar",
    "£{1}": "gbp|£|pound sterling|gb£",
    "€{1}": "eur|€|euro",
    "¥{1}": "jpy|¥|cny|cn¥|jp¥",
    "₹{1}": "inr|₹|indian rupee|indian rupees",
    "A${1}": "aud|a$|au$",
    "C${1}": "cad|c$|ca$",
    "[{1} ]M☉": "solar mass|m☉",
    "[{1} ]R☉": "solar radius",
    "@coordinates": "coord|coordinate|coordinates|koord|coor dms|coor dm|coor d",
    "[{1}:{2}]": "cite quran|cite qur'an|qref|quran-usc",
    "@unknown": (
        "age|age in years|age in years and days|inflation|inflation-year|inflation/year|currentyear|currentmonthname|"
        "currentday|currentmonth|wikidata|pop density|počet obyvatel|fldez|fl dez|numberofarticles|bevölkerungszahl|"
        "население|численность населения|números de población|total population"
    ),
    # Words about words
    "[pronounced /{1}/]": "pron-en|pron",
    "@ipa": "ipa|ipa2|ipa text|api|mfa|ipaslink|ipablink|ipa-all|pronunciation|afi",
    "@nihongo": "nihongo|nihongo2|nihongo3|nihongo4|nihongo krt|nihongo foot|japanese|korean|nihongo core",
    "@named:c,s,t,p,w,j,l": "zh|chinese|zh-full|zh-all|lang-zh",
    "⟨{1}⟩": "angbr|angle bracket|grapheme|angle brackets|char",
    "@sic": "sic|sic?|typo sic",
    "c. {1}": "circa|ca.|ca|circ|c.",
    "fl. {1}[–{2}]": "floruit|fl|fl.",
    "r. {1}[–{2}]": "reign|r.",
    "[({1})]": "brackets|parentheses text",
    "@ship": (
        "uss|hms|hmas|hmcs|hmnzs|hmsas|sms|ss|mv|rms|ms|usns|uscgc|ins|ship|rfa|mts|hsc|hmbs|bap|hdms|hnlms|"
        "hnoms|hswms|"
        "jds|js|orp|ps|pns|nrp|hdms|arа|mf|gts|rv|st|rrs|uscs|css|usat|ussc"
    ),
    "{1}-class {2}": "sclass|sclass-|sclass2|sclass2-|ship class|sclass3",
    "@as_of": "as of|asof|as of?",
    # Dates
    "@date": (
        "start date|end date|start date and age|end date and age|birth date|birth date and age|death date|start-date"
        "|death date and age|birth-date|birth-date and age|death-date|death-date and age|dob|dda|bda|date|film date|dts"
        "|start and end dates|birth year and age|death year and age|dtsh|date table sorting|release date|opened date"
        "|birth-year|launch date|iso date|format date|formatdate|dateformat|birth date-2"
    ),
    "{1} {2}[ [O.S. {3}]]": "oldstyledate|oldstyledatedy|oldstyledatenj",
    # Characters
    "–": "ndash|en dash|–|endash|nd",
    "—": "mdash|em dash|—|emdash|mdashb|md",
    " – ": "spaced ndash|snd|spnd|spaced en dash|sndash|spndash|dash|dashh|snds|ndashb|--",
    " — ": "spaced mdash|smd|spaced em dash|smdash",
    " ": (
        "nbsp|spaces|space|sp|thinsp|thin space|hair space|nnbsp|narrow nbsp|indent|tab|gap|emsp|ensp|quad|in5|pad|spc"
    ),
    " · ": "·|middot|dot|•|bull|bullet|interpunct|dotsep|bullet separator|,|pipe separator|cdot|cdots",
    "'": "'|apostrophe|apos|`",
    "'s": "'s|apostrophe s",
    '"': '"|quot|-"|"-',
    "' \"": "' \"|'\"",
    "\" '": "\" '|\"'",
    "|": "!|pipe|vbar",
    "=": "=|equals|eq",
    "{{": "((",
    "}}": "))",
    "{": "(|lcub",
    "}": ")|rcub",
    "°": "degree|deg|degrees",
    "×": "times|×|x mark sign",
    "−": "minus|−|minus sign",
    "±": "±|pm|plus minus",
    "π": "pi",
    "ʻ": "okina|ʻokina|'okina|hamza like okina",
    "ʿ": "ayin|ʿ|ayn",
    "ʾ": "hamza|ʾ",
    "♯": "sharp|music sharp",
    "♭": "flat|music flat",
    "@music": "music",
    "†": "†|dagger",
    "‡": "‡|double-dagger",
    "#": "hash|hash-tag",
    "&": "&|ampersand|amp",
    "★": "star|★",
    "…": "...|ellipsis|…",
    "km²": "km2|km²",
    "m²": "m2|m²",
    "m³": "m3|m³",
    "км²": "км2|км²",
    "м²": "м2|м²",
    "м³": "м3|м³",
    "1/2": "1/2|½",
    "1/4": "1/4|¼",
    "3/4": "3/4|¾",
    "CO2": "co2|carbon dioxide",
    "H2O": "h2o",
    "\n": "pb|paragraph break|paragraph|par|¶",
    "@break": "br|break|crlf|crlf2|line break|newline|-br-",
    # Numbers of books
    "ISBN {1}": "isbn|isbnt",
    "ISSN {1}": "issn",
    "[{content|1}]": "term|defn|ghat|div col content|hidden|collapse text|gloss|glossary item",
    "[‘{1}’]": "single quote|gloss text",
    "{fr|texte|1}": "lien",
    "{2|1} ": "reflink text",
}

#: The same for one language.
LOCAL: dict[str, dict[str, str]] = {
    "bg": {
        "\n{1|текст}\n[— {2|автор}]\n": "цитат|цитат рамка|цитат2|quote",
        "{2|1}": "препратка|iw|нп",
        "@number": "число|брой",
        "@fraction": "дроб",
        "@old_style": "oldstyledate",
        "{1}": "рег|без пренос|ипа|мфа|флагче+|флаг+",
    },
    "ca": {
        "\n{1}\n[— {2}]\n": "citació|cita|citació destacada|citabloc|cita bloc|caixa de cita|cita destacada",
        "segle {1}[ {2}]": "segle",
        "segles {1} - {2}": "segles",
        "{1}": (
            "romanes|versaleta|versaletes|afi|xifres romanes|majúscules petites|nombre romà|sense salt|polònic|"
            "format ref"
        ),
        "[{1}[ {2}]]": "unitats|unitat|nombre amb unitats",
        "@number": "format num|nombre|xifra",
        "{2}": "llengua|marca idioma|lang text|idioma text|enllaç idioma",
        "{1}a": "ordinal femení",
        "@date": "data|data naixement|data de naixement i edat|data defunció i edat|data inici",
        "a. C.": "ac",
    },
    "cs": {
        "\n{1|text}\n[— {2|autor}]\n": "citát|citát v rámečku|citace textu|quote|cquote|citát2|rámeček s citátem",
        "{2}": "cizojazyčně|vjazyce2|jazyk text|cjz|cizojazyčne|fakt/dne|doplňte zdroj/dne",
        "{1}": (
            "doplňte zdroj|fakt|partnerské město|šířka textu|bez zalomení|nezalomit|wrap|malé|starší název|kdo|"
            "vlajka a název|upřesnit?"
        ),
        "@number": "číslo|nts",
        "@fraction": "zlomek",
        "@date": "datum narození|datum a věk|datum|datum úmrtí|věk a datum",
        "př. n. l.": "přnl",
        "{1}. století": "století",
    },
    "da": {
        "\n{1|tekst|citat}\n[— {2|forfatter}]\n": "citat|citatboks|bquote|bloc citat|citat2|quote|blokcitat",
        "{2}": "sprog|lang",
        "{1}": "nobr|småt|nowrap",
        "@date": "dato|fødselsdato|dødsdato|startdato|slutdato",
        "@number": "tal",
        "[{1}[ {2}]]": "enhed",
    },
    "de": {
        "\n{text|1}\n[— {autor|2}]\n": (
            "zitat|zitat-de|zitat-en|zitat-fr|zitat-la|zitat-it|zitat-es|zitat-ru|zitat-nl|zitat-grc|zitat-pt|zitat-sv"
            "|block|blockzitat|quote|cquote|gedicht|quotation"
        ),
        "„{1|text}“": '"|zitat-inline|„',
        "„{1|text}“ ": '"-de|"-en',
        "{1}": (
            "des|ens|frs|las|grcs|els|rus|its|ess|pts|nls|pls|cs|css|sks|slos|slvs|hus|ros|bgs|srs|hrs|uks|svs|"
            "das|nos|fis|ets|lvs"
            "|lts|trs|ars|hes|fas|jas|zhs|kos|his|sas|eos|cas|gas|cys|iss|vis|ths|ids|hys|kas|mks|sqs|bes|yis|"
            "polytonisch"
            "|iast|arf|farsi|hebr|ara|hebräisch|thai|nobr|nowrap|unicode|kursiv|fett|klein|musik|abk.|abkürzung|"
            "anführung"
            "|kapitälchen|koreanisch|vi|umschrift|transl|laut|farbig|syllab|sütterlin|fraktur|zitatangabe"
        ),
        "{2}": "farblegende|sortkeyname2|sort|lang|farbe",
        "{1} {2}": "sortkeyname",
        "{1} m": "höhe",
        "@named:c,v,t,p,w,j": "zh",
        "@amount:€": "eur|euro",
        "{liste|1}": "mehrspaltige liste",
        "§ {1}[ {2}]": "§",
        "§§ {1}[ {2}]": "§§",
        "Art. {1}[ {2}]": "art.|artikel",
        "{1} {2}[,{3}]": "bibel",
        "@number": "formatnum|formatzahl|formnum|zahl",
        "@fraction": "bruch|bruchzahl",
        "@date": "datum|datumzelle|zeitpunkt|geburtsdatum|dts|datum2",
        "{ziel}": (
            "usa|hun|bel|idn|uzb|mex|chn|jpn|arg|cze|nam|gbr|fra|esp|tur|rus|pol|ita|deu|aut|che|nld|swe|prt|grc|bra"
        ),
        "–": "bis|bis-strich",
        "–{1}": "ndash-text",
        "{deutsch|1}": "dtsch",
    },
    "en": {
        "{1}": "j|ws|fb|nft|cr|ran|flagathlete|flagteam|vr|currency|railgauge|track gauge",
        "@ordinal": "ordinal|ord",
        "@harvard": "harvtxt|harvard citation text|harvcoltxt|citet",
        "EC {1}": "ec number",
        "Article {1} EPC": "epc article",
        "Rule {1} EPC": "epc rule|epc 1973 rule",
        "Article {1} PCT": "pct article",
        "Rule {1} PCT": "pct rule",
        "C": "carbon",
        "H": "hydrogen",
        "N": "nitrogen",
        "O": "oxygen",
        "S": "sulfur",
        "P": "phosphorus",
        "Cl": "chlorine",
        "⇌": "eqm",
        "{1} {2}": "bibleref|bibleref2|bibleverse",
        "{1}–{2}": "dash year|years or more",
        "OCLC {1}": "oclc",
        "U.S. Patent {1}": "us patent",
        "{1} gauge": "track gauge text",
        "{2}": "lit text|circle text",
        "[lit. '{1}']": "literal translation|lit|literally",
        "[trans. {1}]": "trans",
        "née {1}": "née|nee",
        "né {1}": "né",
        "{1|2}": "mp|minor planet text",
        "[{1} BCE]": "bce text",
        "the {1}": "the text",
        "Rs. {1}": "rs|rs.",
        "{2|1}": "flagicon text|wikt-lang|see text|tlp text",
        "born {1}": "b.|born",
        "died {1}": "d.|died",
        "m. {1}": "marriage text",
    },
    "es": {
        "\n{1|texto|cita}\n[— {2|autor|col2}]\n": (
            "cita|cita textual|cquote|caja de cita|quote|recuadro de cita|quote box|cita destacada|blockquote|"
            "cita bloque"
        ),
        " ": "esd|espacio duro|nbsp",
        "@spanish_century": "siglo",
        "siglos {1} y {2}": "siglos",
        "[{1}[ {2}]]": "unidad|unidades|esd2",
        "{1}": (
            "versalita|versalitas|afi|nowrap|bandera2|geodatos|ancla texto|bandera icono2|romano|voz|selb2|selección2"
        ),
        "{2}": "lang|idioma text|marca texto|color texto",
        "@day: de ": "fecha|fecha de inicio|fecha de nacimiento|fecha de fallecimiento|fecha de fin",
        "{1} de {2} de {3}": "fecha texto|fecha de nacimiento y edad",
        "@number": "número|formatnum|cifra|numero",
        "@fraction": "fracción|fraccion",
        "[{1} ]a. C.": "ac|a.c.|a. c.",
        "[{1} ]d. C.": "dc|d.c.|d. c.",
        "{1}.º": "ordinal",
    },
    "fr": {
        "«\xa0{1|texte|citation}\xa0»": 'citation|cita|cit|"|guil|guillemets',
        "\n{1|texte|citation}\n[— {2|auteur}]\n": (
            "citation bloc|bloc citation|quote|début citation bloc|citation longue|épigraphe|encadré citation|"
            "extrait|cquote"
        ),
        "«\xa0{2|texte|1}\xa0»": "citation étrangère|citation langue|citation avec note|citation trad",
        "{2|texte|1}": "langue|en langue|lang|langue avec nom|indication de langue texte",
        "{1}": (
            "petit|grand|abréviation|abr|abrd|abréviation discrète|sigle|exp|ind|latin|référence nécessaire|"
            "refnec|refsou"
            "|référence souhaitée|citation nécessaire|pas clair|quand|qui|lesquels|pourquoi|où|comment|lequel|"
            "laquelle|combien"
            "|lesquelles|passage non neutre|non neutre|formule|bulle|info|souligner|pc|petites capitales|surligner"
            "|pays|région|ville|nationalité|passage promotionnel|passage évasif|refins|référence insuffisante|gras|ital"
            "|référence à confirmer|préciser|vérifier texte|polytonique|mvar|graphie|phon|phonétique|api|api2|"
            "à préciser|allemand"
            "|pertinence passage|passage à actualiser|référence non conforme|pas sûr|biffer|minuscule|capitale|"
            "terme|terme défini"
            "|colonnes|liste simple|hébreu|japonais simple|grec ancien|grec|arabe|abbr|drapeau2|pays2"
            "|lnobr|souligné|barré|surligné"
        ),
        "{1|contenu}": "boîte texte|alinéa|retrait",
        "@unit": "unité|nombre|nb|unite|unités|nau|tmp|température|unité/2",
        "@french_centuries": (
            "s|s-|siècle|siècle-|sc|s mini|s mini-|s1|s1-|-s|-s-|-s mini|-s mini-|sav|sav-|sp|sp-|-sp|-sp-|s2|s2-|-s2"
            "|-s2-|sp mini|sp mini-"
        ),
        "": ",|;|/",
        "@join:": "msapi|phon2|fchim",
        "@dimensions": "dunité|tunité",
        "×": "x",
        "@aside": "incise",
        "\n{1|texte}\n[— {2|auteur}]\n": "vers|exergue",
        "@clarified": "souverain|souverain-|souverain3|noble|noble-|monarque",
        "[{1}[ ({2})]]": "jumelage",
        "@music": "musique",
        "@join: ": "nobr|nowrap|date républicaine|date julienne|jj",
        "@day: ": (
            "date|date-|date de naissance|date de naissance-|date de décès|date de décès-|datedp|jma|date triable-"
            "|date triable|date sport|date rapide"
        ),
        "@amount:€": "euro|euros",
        "[{1} ]av. J.-C.": "av jc|avjc|av. j.-c.|av jc-|-jc|ajc|avant j.-c.",
        "[{1} ]apr. J.-C.": "ap jc|apjc|apr jc|apr. j.-c.|ap. j.-c.|après j.-c.|ap jc-",
        "@time": "heure|duree|durée|h",
        "p.[ {1}]": "p.|p.|pp|page|pages|p",
        "no[ {1}]": "n°|no|numéro|nº|num",
        "vol.[ {1}]": "vol.|vol|volume",
        "t.[ {1}]": "t.|tome",
        "M.[ {1}]": "m.",
        "Mme[ {1}]": "mme|mme.",
        "Mlle[ {1}]": "mlle",
        "Mgr[ {1}]": "mgr",
        "Dr[ {1}]": "dr",
        "St[ {1}]": "st",
        "Me[ {1}]": "me",
        "e": "e|ème|ième",
        "er": "er",
        "re": "re|ère|ière",
        "{texte|fr|1|trad}": "lien",
        "@fraction": "fraction|frac|sfrac",
        "{1} ({2})": "japonais",
        "@join:, ": "liste horizontale",
        "{1} {2}": "souverain2|nom triable",
        "loc. cit.": "loc. cit.",
        "etc.": "etc.",
        "l'": "l'",
        "c.-à-d.": "cad|c.-à-d.",
        " ": "esp|espace insécable|espace|espaces",
        "°C": "°c",
    },
    "hr": {
        "\n{1|tekst|citat}\n[— {2|autor}]\n": "citat|quote|izdvojeni citat|okvir za citat|citat2",
        "{1}": "zd|nedostaje izvor|malo|bez prijeloma|mala slova",
        "@fraction": "razlomak",
        "@number": "broj",
        "@date": "datum|datum rođenja|datum smrti",
    },
    "hu": {
        "\n{1|idézet|szöveg}\n[— {2|szerző}]\n": "idézet|idézet 2|idézet2|quote|cquote|idézet3|idézőblokk",
        "{1}": "rövidítés|nowrap|kis|nemtörik|jap|kínai|orosz|hang szöveg|nyelvű|névváltozat|kép szöveg|kiskapitális",
        "@number": "szám|formatnum",
        "@fraction": "tört",
        "{2}": "idegen|lang|nyelv szöveg",
        "@date": "dátum|születési dátum|halálozási dátum|születési dátum és kor",
    },
    "it": {
        "\n{1|testo}\n[— {2|autore}]\n": (
            "quote|citazione|cit|q|quadro citazione|riquadro citazione|cquote|blockquote|box citazione"
        ),
        "@prefixed": "m",
        "{1}": (
            "senza fonte|citazione necessaria|ta|sf|chiarire|nowrap|maiuscoletto|tutto attaccato|non chiaro|ipa|"
            "afi|bandiera nome"
            "|cn|sc|corsivo|piccolo|simbolo testo|zw text|unità|polytonic|quando|chi|da chi|dubbio|specificare"
        ),
        "{2}": "lang|gemellaggio|colore testo|lingua testo",
        "@number": "formatnum|cifra|numero",
        "@fraction": "frazione|fratto",
        "a.C.": "ac|a.c.",
        "d.C.": "dc|d.c.",
        "@day: ": "data|data nascita|data di nascita",
        "@music": "musica",
    },
    "nl": {
        "\n{1|tekst|inhoud}\n[— {2|auteur|bron}]\n": "citaat|cquote|quote|citaat2|blokcitaat|citaatblok|quotation",
        "{inhoud|1}": "kolommen lijst|kolommen|kolom lijst",
        "{1}": (
            "afkorting|bron?|nowrap|klein|aut|kleinkapitaal|kleine kapitalen|wanneer|wie|feit|grieks|hebreeuws|"
            "arabisch|japans"
        ),
        "{2}": "lang|taal tekst|kleur tekst",
        "@join:, ": "hlijst|hlist",
        "@number": "formatnum|getal",
        "@fraction": "breuk",
        "@date": "datum|geboortedatum|overlijdensdatum|datum2",
        "v.Chr.": "v.chr.|vchr",
    },
    "pl": {
        "\n{1|treść|tekst}\n[— {2|autor|źródło}]\n": (
            "cytat|cytat2|cytat d|cquote|quote|ramka cytat|cytat ramka|blockquote"
        ),
        "{1}": (
            "fakt|ipa3|ipa|nowrap|mała|kapitaliki|zapis|małe|kto|kiedy|co|jaki|uściślij|nierozdzielne|"
            "nowraptekst|dopracować text"
        ),
        "{2}": "w języku|jpl|język tekst|kolor tekst|lang",
        "{tekst|1}": "link-interwiki",
        "@number": "formatnum|liczba|nts",
        "@fraction": "ułamek",
        "@date": "data|data urodzenia|data śmierci",
        "p.n.e.": "pne",
        "n.e.": "ne",
    },
    "pt": {
        "\n{1|texto|citação}\n[— {2|autor}]\n": (
            "citação|quote|cquote|caixa de citação|citação2|quote box|blockquote|citar texto|citação bloco|"
            "quote1|quote2"
        ),
        "século {1}": "séc|século|sec",
        "[{1}[ {2}]]": "fmtn|unidade|fmtn2",
        "{1}": (
            "versalete|versaletes|afi|nowrap|nobr|pequeno|pbpt|carece de fontes2|carece de fontes bloco|quem|"
            "flagcountry"
        ),
        "@join:/": "pbpe|ptbr|pe2|pepb",
        "{2}": "lang|língua texto|cor texto",
        "@day: de ": (
            "dtlink|data|dtext|dni|nascimento|morte|dataextenso|data de nascimento|data de morte|dn|falecimento|dnibr"
        ),
        "@number": "formatnum|número|num",
        "@fraction": "fração",
        "[{1} ]a.C.": "ac|a.c.",
        "[{1} ]d.C.": "dc|d.c.",
    },
    "ro": {
        "\n{1|text|citat}\n[— {2|autor}]\n": "citat|quote|cquote|bloc citat|citat cu autor|blockquote|casetă citat",
        "@convert": "conversie|convert|unitate|cvt|încvt",
        "{1}": "nowrap|mic|fără sursă text|din|necesită citare text",
        "{2}": "lang|limbă text",
        "{2|1}": "ill|legătură",
        "@number": "formatnum|număr",
        "@fraction": "fracție",
        "@date": "dată|data nașterii|data nașterii și vârsta|data decesului",
        "î.Hr.": "îhr",
    },
    "ru": {
        "\n{1|текст|цитата}\n[— {2|автор}]\n": (
            "цитата|врезка цитата|quote|cquote|крупная цитата|блок цитата|цитата-врезка|эпиграф|cquote2|стих|"
            "цитата2|стихи"
        ),
        "@not_translated": (
            "нп|нп1|нп2|нп3|нп4|нп5|не переведено|не переведено 2|не переведено 3|не переведено 4|"
            "не переведено 5|iw|iw2|нп-5"
        ),
        "{1}": (
            "нет аи 2|нетаи2|comment|подсказка|аббр|аббревиатура|nobr|малые|начало текста|мал|крупно|капитель|s|"
            "разр|разрядка"
            "|юникод|сокр|пояснение|мфа|nowrap|не переносить|без переноса|неразрывно|langi2|нестрогая цитата|абр|текст"
            "|флагификация"
        ),
        "{2}": "langi|lang|цвет|color|lang2|маркер|lang-hbo2",
        "@number": "число|formatnum|fmtn|num|форматнум|nts",
        "@fraction": "дробь|frac|дробь2|sfrac|простая дробь",
        "{1} век": "век",
        "{1} год": "год",
        "{1} {2}": "d-l",
        "@date": "дата|датарождения|дата рождения|дата смерти|date|ддр|с2|dts|вд-преамбула",
        "@old_style": "oldstyledate|старый стиль",
        "{1|2}": "сс|сс2|сс3",
        "\u0301": "ударение|удар|уд|acute",
        " ": "нбсп|пробел|неразрывный пробел|nbsp",
        " — ": "тире|mdash|--",
        "до н. э.": "до н. э.|до н.э.|донэ",
        "н. э.": "н. э.|н.э.",
        "№ {1}": "№",
        "руб.": "руб|рубль",
    },
    "sl": {
        "\n{1|besedilo|citat}\n[— {2|avtor}]\n": "citat|navedek|quote|cquote|blok citat|citat2|navedek2|blockquote",
        "{1}": "navedi vir|majhno|brez preloma|nobr|nowrap",
        "{2}": "jezik besedilo|lang",
        "@number": "število|formatnum",
        "@fraction": "ulomek",
        "@date": "datum|datum rojstva|datum smrti|datum rojstva in starost",
        "pr. n. št.": "prnš",
    },
    "sr": {
        "\n{1|текст|цитат|tekst|citat}\n[— {2|аутор|autor}]\n": (
            "цитат|citat|quote|цитати|истакнут цитат|cquote|цитат2|навод"
        ),
        "{1}": "лат|ијек|без прелома|мало|nobr|nowrap|ћир|lat|транскр|напомена текст",
        "{2|1}": "нп|ill",
        "@number": "број|broj|formatnum",
        "@fraction": "разломак|razlomak",
        "@date": "датум|датум рођења|датум смрти|датум рођења и године",
        "п. н. е.": "пне|п. н. е.",
    },
    "sv": {
        "\n{1|text|citat}\n[— {2|författare}]\n": (
            "citat|blockcitat|citatruta|quote|cquote|citat2|blockquote|citatblock"
        ),
        "{1}": "källa behövs|nowrap|nobr|liten|kapitäler|vem|när|förtydliga text|ej källa|vilka|källbehov",
        "{2}": "språk|lang|färg text",
        "@number": "formatnum|tal|nts|siffra",
        "@fraction": "bråk",
        "@date": "datum|födelsedatum|dödsdatum|startdatum|födelsedatum och ålder",
        "f.Kr.": "fkr|f.kr.",
    },
    "uk": {
        "\n{1|текст|цитата}\n[— {2|автор}]\n": (
            "цитата|quote|cquote|блок цитата|цитата2|велика цитата|врізка цитата|епіграф"
        ),
        "@not_translated": (
            "нп|нп1|нп2|нп3|нп4|нп5|не перекладено|не перекладено 5|нп-5|не переведено|iw|ill|ll|нетранс"
        ),
        "{1}": "comment|підказка|абр|nobr|малий|неразривно|без переносу|мфа|nowrap|абревіатура|маленький|розрядка|s",
        "{2}": "langi|lang|колір",
        "@number": "число|formatnum|num|nts",
        "@fraction": "дріб|frac|sfrac",
        "@old_style": "oldstyledate",
        "{1} століття": "століття|ст",
        "@date": "дата|дата народження|дн|датасмерті|dts|дата смерті",
        "\u0301": "наголос|наг|acute",
        " ": "нбсп|пробіл|nbsp",
        " — ": "тире|mdash|--",
        "до н. е.": "до н. е.|до н.е.",
        "н. е.": "н. е.|н.е.",
        "№ {1}": "№",
    },
}

#: The same for languages that are not listed: templates named after the language of their words, in many wikis.
OTHER: dict[str, str] = {
    "{1}": (
        "de|en|fr|es|it|ru|pl|la|grc|deu|eng|fra|spa|ita|rus|pol|lat|ces|slk|hun|nld|por|ron|swe|tur|ukr|vok|仮リンク"
    ),
    "[{1} km]": "km",
    "[{1} m n. m.]": "mnm",
    "{2}": "v jazyku|lang|keel|kieli|dil|język",
}

#: Beginnings of names, by what the template shows; the longest one counts.
PREFIXES: dict[str, str] = {
    "lang-": "{1|text}",
    "jez-": "{1}",
    "јез-": "{1}",
    "bi-": "{1}",
    "שפראך-": "{1}",
    "jezik-": "{1}",
    "ipa-": "@ipa",
    "afi-": "@ipa",
    "ipac-": "@ipa_segments",
    "script/": "{1}",
    "langue-": "{1}",
    "lang/": "{2}",
    "metadaten einwohnerzahl ": "@unknown",
    "statistiek gemeente ": "@unknown",
    "population ger-": "@unknown",
}

#: Month names as they stand in a date, January first.
MONTHS: dict[str, str] = {
    "bg": "януари|февруари|март|април|май|юни|юли|август|септември|октомври|ноември|декември",
    "ca": (
        "de gener|de febrer|de març|d'abril|de maig|de juny|de juliol|d'agost|de setembre|d'octubre|de novembre|"
        "de desembre"
    ),
    "cs": "ledna|února|března|dubna|května|června|července|srpna|září|října|listopadu|prosince",
    "da": "januar|februar|marts|april|maj|juni|juli|august|september|oktober|november|december",
    "de": "Januar|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember",
    "en": "January|February|March|April|May|June|July|August|September|October|November|December",
    "es": "enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre",
    "fr": "janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre",
    "hr": "siječnja|veljače|ožujka|travnja|svibnja|lipnja|srpnja|kolovoza|rujna|listopada|studenoga|prosinca",
    "hu": "január|február|március|április|május|június|július|augusztus|szeptember|október|november|december",
    "it": "gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre|dicembre",
    "nl": "januari|februari|maart|april|mei|juni|juli|augustus|september|oktober|november|december",
    "pl": "stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|października|listopada|grudnia",
    "pt": "janeiro|fevereiro|março|abril|maio|junho|julho|agosto|setembro|outubro|novembro|dezembro",
    "ro": "ianuarie|februarie|martie|aprilie|mai|iunie|iulie|august|septembrie|octombrie|noiembrie|decembrie",
    "ru": "января|февраля|марта|апреля|мая|июня|июля|августа|сентября|октября|ноября|декабря",
    "sl": "januar|februar|marec|april|maj|junij|julij|avgust|september|oktober|november|december",
    "sr": "јануар|фебруар|март|април|мај|јун|јул|август|септембар|октобар|новембар|децембар",
    "sv": "januari|februari|mars|april|maj|juni|juli|augusti|september|oktober|november|december",
    "uk": "січня|лютого|березня|квітня|травня|червня|липня|серпня|вересня|жовтня|листопада|грудня",
}

#: Date as day, month and year where a language does not write ``5 May 2001``.
DATE_FORMS: dict[str, str] = {
    "cs": "{d}. {m} {y}",
    "da": "{d}. {m} {y}",
    "de": "{d}. {m} {y}",
    "en": "{m} {d}, {y}",
    "es": "{d} de {m} de {y}",
    "hr": "{d}. {m} {y}.",
    "hu": "{y}. {m} {d}.",
    "pt": "{d} de {m} de {y}",
    "sl": "{d}. {m} {y}",
    "sr": "{d}. {m} {y}.",
    "ca": "{d} {m} de {y}",
}

#: Marks of thousands and decimals as ``formatnum`` writes them.
SEPARATORS: dict[str, str] = {
    "en": ",.",
    "bg": "\xa0,",
    "ca": ".,",
    "cs": "\xa0,",
    "da": ".,",
    "de": ".,",
    "es": "\xa0,",
    "fr": "\xa0,",
    "hr": ".,",
    "hu": "\xa0,",
    "it": ".,",
    "nl": ".,",
    "pl": "\xa0,",
    "pt": "\xa0,",
    "ro": ".,",
    "ru": "\xa0,",
    "sl": ".,",
    "sr": ".,",
    "sv": "\xa0,",
    "uk": "\xa0,",
}

#: Templates that stand on pages that only tell apart things of one name.
DISAMBIGUATION: dict[str, str] = {
    "en": (
        "disambig|disambiguation|dab|disamb|hndis|geodis|hospitaldis|schooldis|mathdab|numberdis|"
        "letter-numbercombdisambig"
        "|disambiguation page|disambig-plants|biology disambiguation|callsigndis|human name disambiguation|"
        "mil-unit-dis|wpdab"
        "|place name disambiguation|chinese title disambiguation|airport disambiguation|call sign disambiguation|"
        "caselaw disambiguation"
        "|disambig page|geodab|surnamedab|roaddis|shipindex disambiguation|taxonomy disambiguation|"
        "phonetics disambiguation"
        "|letter–number combination disambiguation|mathematical disambiguation|military unit disambiguation|dbig|"
        "disam|hndab|hndisambig"
        "|music disambiguation|opus disambiguation|species latin name abbreviation disambiguation|"
        "station disambiguation"
        "|disambiguation cleanup|genus disambiguation|church disambiguation|hospital disambiguation|"
        "school disambiguation"
    ),
    "bg": "пояснение|пояснителна|пояснителна страница|к-пояснение|disambig-bg|пояснение-дял",
    "ca": "desambiguació|desambigua|biografia desambiguació|desambiguacio|desambig",
    "cs": (
        "rozcestník|rozcestník - příjmení|rozcestník - jméno|rozcestník - 2 znaky|rozcestník - 3 znaky|"
        "rozcestník - ulice"
    ),
    "da": "flertydig|efternavn|fornavn|flertydigt|flertydigskole|flertydig 2|flertydig 3",
    "de": "begriffsklärung|bkl|begriffsklaerung",
    "es": "desambiguación|desambiguacion|desambig|des|desambigua|homonimia",
    "fr": (
        "homonymie|homonyme|homonymes|patronyme|patronymie|toponymie|paronymie|internationalisation|sigle|prénom|"
        "initiales"
        "|arrondissements homonymes|cantons homonymes|communes françaises homonymes|bandeau homonymie|titres homonymes"
        "|batailles homonymes|villes homonymes|autres territoires homonymes|gouvernements homonymes|paroisses homonymes"
        "|personnes homonymes|saints homonymes|œuvres homonymes|films homonymes|clubs sportifs homonymes|"
        "unités homonymes"
        "|chaînes homonymes|gares homonymes|guerres homonymes|îles homonymes|lieux homonymes|"
        "monastères homonymes|partis homonymes"
        "|édifices religieux homonymes|routes homonymes|rues homonymes|transports homonymes|intitulé homonymes|"
        "papes homonymes"
        "|monuments homonymes|noms homonymes|familles homonymes|bateaux homonymes|astéroïdes homonymes|"
        "armoiries homonymes"
    ),
    "hr": "razdvojba|razdvojba imena|preusmjeri na razdvojbu",
    "hu": "egyért|egyértelműsítő|egyértelműsítő lap|egyértelműsítés|egyert",
    "it": "disambigua|disambiguazione|sigla|disambigua luogo",
    "nl": "dp|doorverwijspagina|dpintro|dp intro|begriepskloorstelling|dpnaam",
    "pl": "ujednoznacznienie|disambigR|ujedn|ujednoznacznienie imię|ujednoznacznienie nazwisko",
    "pt": "desambiguação|desambig|disambigb|desambiguação1|desambigg|desambiga|ver desambiguação página|desamb",
    "ro": "dezambiguizare|dezambig|dezambiguare|dezamb",
    "ru": (
        "неоднозначность|многозначность|disambig|список однофамильцев|однофамильцы|фамилия|неоднозначность/имя|омонимия"
        "|список тёзок|тёзки|имя-фамилия"
    ),
    "sl": "razločitev|razločevanje|disambig|razločitvena stran|razloč|razlocitev",
    "sr": "вишезначна одредница|višeznačna odrednica|вишезначност|višeznačnost|в-о|вз-одредница|разврставање|vo",
    "sv": (
        "förgrening|gren|grensida|namnförgrening|betydelselista|ortnamnsförgrening|förgreningssida|"
        "trebokstavsförgrening|gren-geo"
    ),
    "uk": (
        "неоднозначність|багатозначність|прізвище|однофамільці|список однофамільців|disambig|тезки|багатозначні терміни"
    ),
}
