"""Names that each of the twenty Wikipedias gives to its namespaces, switches and parser functions.

Facts as the sites' own configuration gives them (``action=query&meta=siteinfo`` with ``siprop=namespaces|
namespacealiases|magicwords|interwikimap``), less what English has: English names hold everywhere.
"""

#: By language and number: the name, then aliases, parted by ``|``.
NAMESPACES: dict[str, dict[int, str]] = {
    "bg": {
        -2: "Медия",
        -1: "Специални",
        1: "Беседа",
        2: "Потребител",
        3: "Потребител беседа",
        4: "Уикипедия",
        5: "Уикипедия беседа",
        6: "Файл|Картинка",
        7: "Файл беседа|Картинка беседа",
        8: "МедияУики",
        9: "МедияУики беседа",
        10: "Шаблон",
        11: "Шаблон беседа",
        12: "Помощ",
        13: "Помощ беседа",
        14: "Категория",
        15: "Категория беседа",
        100: "Портал",
        101: "Портал беседа",
        118: "Чернова",
        119: "Чернова беседа",
        828: "Модул",
        829: "Модул беседа",
    },
    "ca": {
        -1: "Especial",
        1: "Discussió",
        2: "Usuari|Usuària|Utilisator",
        3: "Usuari Discussió|Discussion Utilisator|Discutida Utilisator|Usuària Discussió",
        4: "Viquipèdia",
        5: "Viquipèdia Discussió",
        6: "Fitxer|Imatge",
        7: "Fitxer Discussió|Discussion Imatge|Discutida Imatge|Imatge Discussió",
        8: "Mediaòiqui",
        9: "MediaWiki Discussió|Discussion Mediaòiqui|Discutida Mediaòiqui",
        10: "Plantilla",
        11: "Plantilla Discussió|Discutida Modèl",
        12: "Ajuda",
        13: "Ajuda Discussió|Discutida Ajuda",
        14: "Categoria",
        15: "Categoria Discussió|Discutida Categoria",
        101: "Portal Discussió",
        102: "Viquiprojecte",
        103: "Viquiprojecte Discussió",
        828: "Mòdul",
        829: "Mòdul Discussió",
        2600: "Tema|Topic",
    },
    "cs": {
        -2: "Média",
        -1: "Speciální",
        1: "Diskuse|Komentár",
        2: "Wikipedista|Redaktor|Uživatel|Wikipedistka",
        3: (
            "Diskuse s wikipedistou|Diskuse s uživatelem|Diskuse s wikipedistkou|"
            "Diskusia s redaktorom|Komentár k redaktorovi|Uživatel diskuse|Uživatelka diskuse|"
            "Wikipedista diskuse|Wikipedistka diskuse"
        ),
        4: "Wikipedie",
        5: "Diskuse k Wikipedii|Komentár k Wikipédii|Wikipedie diskuse",
        6: "Soubor|Obrázok",
        7: "Diskuse k souboru|Diskusia k obrázku|Komentár k obrázku|Soubor diskuse",
        9: "Diskuse k MediaWiki|Komentár k MediaWiki|MediaWiki diskuse",
        10: "Šablona",
        11: "Diskuse k šabloně|Šablona diskuse",
        12: "Nápověda",
        13: "Diskuse k nápovědě|Nápověda diskuse",
        14: "Kategorie",
        15: "Diskuse ke kategorii|Kategorie diskuse",
        100: "Portál",
        101: "Diskuse k portálu|Portál diskuse",
        102: "Rejstřík",
        103: "Diskuse k rejstříku|Rejstřík diskuse",
        828: "Modul",
        829: "Diskuse k modulu",
        2600: "Téma|Topic",
    },
    "da": {
        -1: "Speciel",
        1: "Diskussion",
        2: "Bruger",
        3: "Brugerdiskussion",
        5: "Wikipedia-diskussion",
        6: "Fil|Billede",
        7: "Fildiskussion|Billeddiskussion",
        9: "MediaWiki-diskussion",
        10: "Skabelon",
        11: "Skabelondiskussion",
        12: "Hjælp",
        13: "Hjælp-diskussion",
        14: "Kategori",
        15: "Kategoridiskussion",
        101: "Portaldiskussion|Portal diskussion",
        102: "Artikeldata",
        103: "Artikeldatadiskussion",
        828: "Modul",
        829: "Moduldiskussion",
    },
    "de": {
        -2: "Medium",
        -1: "Spezial",
        1: "Diskussion",
        2: "Benutzer|Benutzerin",
        3: "Benutzer Diskussion|BD|Benutzerin Diskussion",
        5: "Wikipedia Diskussion|WD",
        6: "Datei|Bild",
        7: "Datei Diskussion|Bild Diskussion",
        9: "MediaWiki Diskussion",
        10: "Vorlage",
        11: "Vorlage Diskussion",
        12: "Hilfe|H",
        13: "Hilfe Diskussion|HD",
        14: "Kategorie",
        15: "Kategorie Diskussion",
        100: "P",
        101: "Portal Diskussion|PD",
        828: "Modul",
        829: "Modul Diskussion",
    },
    "en": {
        -2: "Media",
        -1: "Special",
        1: "Talk",
        2: "User",
        3: "User talk",
        4: "Project|Wikipedia|WP",
        5: "Project talk|Wikipedia talk|WT",
        6: "File|Image",
        7: "File talk|Image talk",
        8: "MediaWiki",
        9: "MediaWiki talk",
        10: "Template|TM",
        11: "Template talk",
        12: "Help",
        13: "Help talk",
        14: "Category",
        15: "Category talk",
        100: "Portal",
        101: "Portal talk",
        118: "Draft",
        119: "Draft talk",
        710: "TimedText",
        711: "TimedText talk",
        828: "Module",
        829: "Module talk",
    },
    "es": {
        -2: "Medio",
        -1: "Especial",
        1: "Discusión",
        2: "Usuario|Usuaria",
        3: "Usuario discusión|Usuaria discusión",
        5: "Wikipedia discusión",
        6: "Archivo|Imagen",
        7: "Archivo discusión|Imagen discusión",
        9: "MediaWiki discusión",
        10: "Plantilla",
        11: "Plantilla discusión",
        12: "Ayuda",
        13: "Ayuda discusión",
        14: "Categoría|CAT",
        15: "Categoría discusión",
        101: "Portal discusión",
        102: "Wikiproyecto|PR",
        103: "Wikiproyecto discusión",
        104: "Anexo",
        105: "Anexo discusión",
        828: "Módulo",
        829: "Módulo discusión",
    },
    "fr": {
        -2: "Média",
        -1: "Spécial",
        1: "Discussion|Discuter",
        2: "Utilisateur|Utilisatrice",
        3: "Discussion utilisateur|Discussion Utilisateur|Discussion Utilisatrice|Discussion utilisatrice",
        4: "Wikipédia",
        5: "Discussion Wikipédia|DW|Discussion Wikipedia",
        6: "Fichier",
        7: "Discussion fichier|Discussion Fichier|Discussion Image",
        9: "Discussion MediaWiki",
        10: "Modèle",
        11: "Discussion modèle|Discussion Modèle",
        12: "Aide",
        13: "Discussion aide|Discussion Aide",
        14: "Catégorie",
        15: "Discussion catégorie|Discussion Catégorie",
        100: "Portail",
        101: "Discussion Portail",
        102: "Projet",
        103: "Discussion Projet",
        104: "Référence",
        105: "Discussion Référence",
        829: "Discussion module",
        2600: "Sujet|Topic",
    },
    "hr": {
        -2: "Mediji",
        -1: "Posebno",
        1: "Razgovor",
        2: "Suradnik|SUR|Suradnica|U",
        3: "Razgovor sa suradnikom|RSS|RSUR|Razgovor sa suradnicom",
        4: "Wikipedija",
        5: "Razgovor Wikipedija|RWP",
        6: "Datoteka|DT|Slika",
        7: "Razgovor o datoteci|RDT|RF|Razgovor o slici",
        8: "ME",
        9: "MediaWiki razgovor|RME",
        10: "Predložak",
        11: "Razgovor o predlošku",
        12: "Pomoć|H|PM",
        13: "Razgovor o pomoći|RH|RPM",
        14: "Kategorija|CT|KT",
        15: "Razgovor o kategoriji|RCT|RKT",
        101: "Razgovor o portalu",
        102: "Dodatak",
        103: "Razgovor o dodatku",
        118: "Nacrt",
        119: "Razgovor o nacrtu",
        828: "Modul|MD|MOD",
        829: "Razgovor o modulu|RMD|RMOD",
    },
    "hu": {
        -2: "Média",
        -1: "Speciális",
        1: "Vita",
        2: "Szerkesztő",
        3: "Szerkesztővita|User vita",
        4: "Wikipédia",
        5: "Wikipédia-vita|Wikipédia vita",
        6: "Fájl|Kép",
        7: "Fájlvita|Kép vita|Képvita",
        9: "MediaWiki-vita|MediaWiki vita",
        10: "Sablon",
        11: "Sablonvita|Sablon vita",
        12: "Segítség",
        13: "Segítségvita|Segítség vita",
        14: "Kategória",
        15: "Kategóriavita|Kategória vita",
        90: "Szál|Thread",
        91: "Szálvita|Thread talk",
        92: "Összefoglaló|Summary",
        93: "Összefoglaló-vita|Summary talk",
        100: "Portál",
        101: "Portálvita|Portál vita",
        118: "Cikkjelölt",
        119: "Cikkjelöltvita",
        828: "Modul",
        829: "Modulvita",
    },
    "it": {
        -1: "Speciale",
        1: "Discussione",
        2: "Utente",
        3: "Discussioni utente",
        5: "Discussioni Wikipedia|DW",
        6: "Immagine",
        7: "Discussioni file|Discussioni immagine",
        9: "Discussioni MediaWiki",
        10: "T",
        11: "Discussioni template",
        12: "Aiuto",
        13: "Discussioni aiuto",
        14: "Categoria|CAT",
        15: "Discussioni categoria",
        100: "Portale",
        101: "Discussioni portale",
        102: "Progetto",
        103: "Discussioni progetto|DP",
        118: "Bozza",
        119: "Discussioni bozza",
        828: "Modulo",
        829: "Discussioni modulo",
    },
    "nl": {
        -1: "Speciaal",
        1: "Overleg",
        2: "Gebruiker",
        3: "Overleg gebruiker",
        5: "Overleg Wikipedia",
        6: "Bestand|Afbeelding",
        7: "Overleg bestand|Overleg afbeelding",
        9: "Overleg MediaWiki",
        10: "Sjabloon",
        11: "Overleg sjabloon",
        12: "H",
        13: "Overleg help",
        14: "Categorie",
        15: "Overleg categorie",
        100: "Portaal|P",
        101: "Overleg portaal",
        829: "Overleg module",
    },
    "pl": {
        -1: "Specjalna",
        1: "Dyskusja",
        2: "Wikipedysta|Wikipedystka",
        3: "Dyskusja wikipedysty|Dyskusja wikipedystki",
        5: "Dyskusja Wikipedii",
        6: "Plik|Grafika",
        7: "Dyskusja pliku|Dyskusja grafiki",
        9: "Dyskusja MediaWiki",
        10: "Szablon",
        11: "Dyskusja szablonu",
        12: "Pomoc",
        13: "Dyskusja pomocy",
        14: "Kategoria",
        15: "Dyskusja kategorii",
        101: "Dyskusja portalu",
        102: "Wikiprojekt",
        103: "Dyskusja wikiprojektu",
        828: "Moduł",
        829: "Dyskusja modułu",
        2600: "Wątek|Topic",
    },
    "pt": {
        -2: "Multimédia",
        -1: "Especial",
        1: "Discussão",
        2: "Usuário(a)|Usuária|Usuário|Utilizador|Utilizador(a)|Utilizadora",
        3: (
            "Usuário(a) Discussão|Usuária Discussão|Usuário Discussão|Utilizador Discussão|"
            "Utilizador(a) Discussão|Utilizadora Discussão"
        ),
        4: "Wikipédia",
        5: "Wikipédia Discussão|Wikipedia Discussão",
        6: "Ficheiro|Arquivo|Imagem",
        7: "Ficheiro Discussão|Arquivo Discussão|Imagem Discussão",
        9: "MediaWiki Discussão",
        10: "Predefinição",
        11: "Predefinição Discussão",
        12: "Ajuda",
        13: "Ajuda Discussão",
        14: "Categoria",
        15: "Categoria Discussão",
        101: "Portal Discussão|Discussão Portal",
        104: "Livro",
        105: "Livro Discussão",
        446: "Education Program",
        447: "Education Program talk",
        828: "Módulo",
        829: "Módulo Discussão",
        2600: "Tópico|Topic",
    },
    "ro": {
        1: "Discuție|Discuţie",
        2: "Utilizator",
        3: "Discuție Utilizator|Discuţie Utilizator",
        5: "Discuție Wikipedia|Discuţie Wikipedia",
        6: "Fișier|Fişier|Imagine",
        7: "Discuție Fișier|Discuţie Fişier|Discuţie Imagine",
        9: "Discuție MediaWiki|Discuţie MediWiki|Discuţie MediaWiki",
        10: "Format",
        11: "Discuție Format|Discuţie Format",
        12: "Ajutor",
        13: "Discuție Ajutor|Discuţie Ajutor",
        14: "Categorie",
        15: "Discuție Categorie|Discuţie Categorie",
        101: "Discuție Portal",
        102: "Proiect|WikiProject",
        103: "Discuție Proiect|WikiProject talk",
        108: "Cod|Code",
        109: "Discuție Cod|Code talk",
        110: "Carte|Book",
        111: "Discuție Carte|Book talk",
        460: "Campaign",
        461: "Campaign talk",
        828: "Modul",
        829: "Discuție Modul",
    },
    "ru": {
        -2: "Медиа",
        -1: "Служебная",
        1: "Обсуждение",
        2: "Участник|U|У|Участница",
        3: "Обсуждение участника|UT|ОУ|Обсуждение участницы",
        4: "Википедия|ВП",
        5: "Обсуждение Википедии",
        6: "Файл|Изображение",
        7: "Обсуждение файла|Обсуждение изображения",
        9: "Обсуждение MediaWiki",
        10: "Шаблон|T|Ш",
        11: "Обсуждение шаблона",
        12: "Справка",
        13: "Обсуждение справки",
        14: "Категория|К",
        15: "Обсуждение категории",
        100: "Портал",
        101: "Обсуждение портала",
        102: "Инкубатор|И",
        103: "Обсуждение Инкубатора",
        104: "Проект|ПРО",
        105: "Обсуждение проекта|ОПРО",
        106: "Арбитраж|Arbcom|АК",
        107: "Обсуждение арбитража",
        828: "Модуль",
        829: "Обсуждение модуля",
    },
    "sl": {
        -2: "Datoteka",
        -1: "Posebno",
        1: "Pogovor",
        2: "Uporabnik",
        3: "Uporabniški pogovor",
        4: "Wikipedija",
        5: "Pogovor o Wikipediji",
        6: "Slika",
        7: "Pogovor o sliki",
        9: "Pogovor o MediaWiki",
        10: "Predloga",
        11: "Pogovor o predlogi",
        12: "Pomoč",
        13: "Pogovor o pomoči",
        14: "Kategorija",
        15: "Pogovor o kategoriji",
        101: "Pogovor o portalu",
        118: "Osnutek",
        119: "Pogovor o osnutku",
        828: "Modul",
        829: "Pogovor o modulu",
    },
    "sr": {
        -2: "Медиј|Medij|Medija|Медија",
        -1: "Посебно|Posebno|Specijalno|Специјално",
        1: "Разговор|Razgovor",
        2: "Корисник|Korisnik|Saradnik|Suradnik|Сарадник|Сурадник",
        3: (
            "Разговор с корисником|Razgovor s korisnikom|Razgovor s saradnikom|"
            "Razgovor s suradnikom|Razgovor sa korisnikom|Razgovor sa saradnikom|"
            "Razgovor sa suradnikom|Разговор с сарадником|Разговор с сурадником|"
            "Разговор са корисником|Разговор са сарадником|Разговор са сурадником"
        ),
        4: "Википедија|VP|Vikipedija|ВП",
        5: "Разговор о Википедији",
        6: "Датотека|Datoteka|Fotografija|Slika|Слика|Фотографија",
        7: (
            "Разговор о датотеци|Razgovor o datoteci|Razgovor o fotografiji|Razgovor o slici|"
            "Разговор о слици|Разговор о фотографији"
        ),
        8: "Медијавики|MedijaViki|MedijaWiki|Medijaviki|МедијаВики",
        9: (
            "Разговор о Медијавикију|Razgovor o MediaWiki-ju|Razgovor o MediaWikiju|"
            "Razgovor o MedijaViki-ju|Razgovor o MedijaVikiju|Razgovor o MedijaWiki-ju|"
            "Razgovor o MedijaWikiju|Razgovor o Medijaviki-ju|Razgovor o Medijavikiju|"
            "Разговор о MediaWiki-ју|Разговор о МедијаВикију"
        ),
        10: "Шаблон|Predložak|Šablon|Предложак",
        11: "Разговор о шаблону|Razgovor o predlošku|Razgovor o šablonu|Разговор о предлошку",
        12: "Помоћ|Pomoć",
        13: "Разговор о помоћи|Razgovor o pomoći",
        14: "Категорија|Kategorija",
        15: "Разговор о категорији|Razgovor o kategoriji",
        100: "Портал",
        101: "Разговор о порталу",
        118: "Нацрт",
        119: "Разговор о нацрту",
        828: "Модул|Modul",
        829: "Разговор о модулу|Razgovor o modulu",
    },
    "sv": {
        1: "Diskussion",
        2: "Användare",
        3: "Användardiskussion",
        5: "Wikipediadiskussion",
        6: "Fil|Bild",
        7: "Fildiskussion|Bilddiskussion",
        9: "MediaWiki-diskussion|MediaWiki diskussion",
        10: "Mall",
        11: "Malldiskussion",
        12: "Hjälp",
        13: "Hjälpdiskussion|Hjälp diskussion",
        14: "Kategori",
        15: "Kategoridiskussion",
        101: "Portaldiskussion",
        446: "Education Program",
        447: "Education Program talk",
        828: "Modul",
        829: "Moduldiskussion",
        2600: "Ämne|Topic",
    },
    "uk": {
        -2: "Медіа|Медиа",
        -1: "Спеціальна|Служебная|Спеціальні",
        1: "Обговорення|Обсуждение",
        2: "Користувач|Користувачка|Участник",
        3: "Обговорення користувача|Обговорення користувачки|Обсуждение участника",
        4: "Вікіпедія|ВП",
        5: "Обговорення Вікіпедії",
        6: "Файл|Зображення|Изображение",
        7: "Обговорення файлу|Обговорення зображення|Обсуждение изображения|Обсуждение файла",
        9: "Обговорення MediaWiki|Обсуждение MediaWiki",
        10: "Шаблон",
        11: "Обговорення шаблону|Обговорення шаблона|Обсуждение шаблона",
        12: "Довідка|Справка",
        13: "Обговорення довідки|Обсуждение справки",
        14: "Категорія|Категория",
        15: "Обговорення категорії|Обсуждение категории",
        100: "Портал",
        101: "Обговорення порталу",
        446: "Education Program",
        447: "Education Program talk",
        828: "Модуль",
        829: "Обговорення модуля",
    },
}

#: Words between double underscores, in lower case, by language.
SWITCHES: dict[str, str] = {
    "bg": (
        "съссъдържание скритакатегория индексиране връзка_за_нов_раздел без_редактиране_на_раздели безгалерия "
        "безиндексиране безсъдържание съдържание"
    ),
    "ca": (
        "forçataula forçartaula forçarsomari forçartdm catamagada secciónoeditable seccionoeditable "
        "seccionnoneditabla capgaleria nogaleria capdegalariá capdegalaria pascapdedegalariá capindex "
        "pascapdindèx captaula notaula capdetaula pascapdesomari pascapdetdm redireccióestatica "
        "redireccioestatica redireccionestatica taula resum tdm somari ligamseccionnovèla "
        "pascapdeligamseccionnovèla"
    ),
    "cs": (
        "vždyobsah vynútiťobsah skrýtkat skrytákategória skrytákat indexovat linkpřidatkomentář "
        "bezkonverzeobsahu bezeditovatčást neupravovaťsekcie bezgalerie bezgalérie neindexovat "
        "bezlinkupřidatkomentář bezkonverzenadpisu bezobsahu staticképřesměrování obsah"
    ),
    "da": "",
    "de": (
        "inhaltsverzeichnis_erzwingen versteckte_kategorie wartungskategorie indexieren indizieren "
        "neuer_abschnittslink plus_link keine_inhaltskonvertierung abschnitte_nicht_bearbeiten keine_galerie "
        "keinegalerie nicht_indexieren kein_index nicht_indizieren kein_neuer_abschnittslink kein_plus_link "
        "keine_titelkonvertierung kein_inhaltsverzeichnis keininhaltsverzeichnis permanente_weiterleitung "
        "inhaltsverzeichnis"
    ),
    "en": (
        "noglobal disambig archivedtalk notalk expected_unconnected_page expectwithoutscans "
        "expectunusedcategory forcetoc hiddencat index newsectionlink nocontentconvert nocc noeditsection "
        "nogallery noindex nonewsectionlink notitleconvert notc notoc staticredirect toc"
    ),
    "es": (
        "nocc_ noct_ disambiguacion forzar_tdc forzartdc forzartoc categoríaoculta indexar vincularanuevaseccion "
        "enlacecrearsección noconvertircontenido no_editar_sección noeditarsección noeditarseccion sin_galería "
        "nogalería nogaleria noindexar novincularanuevaseccion sinenlacecrearsección noconvertirtitulo "
        "noconvertirtítulo noct sin_tdc notdc redirecciónestática redireccionestatica tdc"
    ),
    "fr": (
        "forcersommaire forcertdm catcachee liennouvellesection sansconversioncontenu sanscc sectionnoneditable "
        "aucunegalerie aucunindex aucunliennouvellesection sansconversiontitre sansct aucunsommaire aucunetdm "
        "redirectionstatique sommaire tdm"
    ),
    "hr": (
        "uključisadržaj skrivenakat kazalo noviodlomakpoveznica bezpretvaranjasadržaja bps "
        "bezuređivanjaodlomaka bezgalerije bezkazala bezpretvaranjanaslova bpn bezsadržaja "
        "nepomičnopreusmjeravanje sadržaj"
    ),
    "hu": (
        "legyentartalomjegyzék legyentj rejtettkat rejtettkategória újszakaszhiv újszakaszlink nincsszerkesztés "
        "nincsszerk nincsgaléria nincsindex nincsújszakaszhiv nincsújszakaszlink nincstartalomjegyzék nincstj "
        "állandóátirányítás statikusátirányítás tartalomjegyzék tj"
    ),
    "it": "indicizzare indice nonindicizzare noindice",
    "nl": (
        "inhoud_dwingen forceerinhoud verborgencat nieuwesectielink nieuwesectiekoppeling geeninhoudconversie "
        "geenic nietbewerkbaresectie geen_galerij geenindex geennieuwkopjekoppeling geennieuwesectielink "
        "geennieuwkopjeverwijzing geenpaginanaamconversie geentitelconversie geentc geeninhoud "
        "statischedoorverwijzing statischeredirect inhoud"
    ),
    "pl": (
        "archiwalnadyskusja niedyskusja zespisem wymuśspis kategoriaukryta indeksuj linknowejsekcji "
        "bezedycjisekcji bezgalerii nieindeksuj bezspisu poziomzabezpieczeń spis"
    ),
    "pt": (
        "forcartdc forcarsumario forçartdc forçarsumário categoriaoculta catoculta indexar linkdenovasecao "
        "linkdenovaseção ligacaodenovasecao ligaçãodenovaseção semconverterconteudo semconverterconteúdo semcc "
        "nãoeditarseção semeditarseção naoeditarsecao semeditarsecao semgaleria naoindexar nãoindexar "
        "semlinkdenovasecao semlinkdenovaseção semligacaodenovasecao semligaçãodenovaseção semconvertertitulo "
        "semconvertertítulo semct semtdc semsumário redirecionamentoestatico redirecionamentoestático tdc "
        "sumário sumario"
    ),
    "ro": (
        "forteazacuprins ascundecat legaturasectiunenoua faraconvertirecontinut fcc faraeditsectiune "
        "faragalerie faraindex faralegaturasectiunenoua faraconvertiretitlu fct faracuprins "
        "redirectionarestatica cuprins"
    ),
    "ru": (
        "обязательное_оглавление обяз_огл скрытая_категория индекс ссылка_на_новый_раздел "
        "без_преобразования_текста без_редактирования_раздела без_галереи без_индекса "
        "без_ссылки_на_новый_раздел без_преобразования_заголовка без_оглавления без_огл "
        "статическое_перенаправление оглавление огл"
    ),
    "sl": (
        "vsilikazalovsebine skritakategorija kazalo brezurejanjarazdelkov brezgalerije brezkazala "
        "brezkazalavsebine staticnapreusmeritev poglavje"
    ),
    "sr": (
        "форсирајсадржај форсиранисадржај форсирани_садржај приморанисадржај приморани_садржај forsirajsadržaj "
        "forsiranisadržaj forsirani_sadržaj primoranisadržaj primorani_sadržaj сакривенакат сакривенакатегорија "
        "скривенакат скривенакатегорија sakrivenakat sakrivenakategorija skrivenakat skrivenakategorija "
        "индексирај индексирање индекс indeksiraj indeksiranje indeks линкзановиодељак линкзановиодјељак "
        "везазановиодељак везазановиодјељак новавезаодељка новавезаодјељка нова_веза_одељка нова_веза_одјељка "
        "linkzanoviodeljak linkzanoviodjeljak vezazanoviodeljak vezazanoviodjeljak novavezaodeljka "
        "novavezaodjeljka nova_veza_odeljka nova_veza_odjeljka безкс безцц bezks bezcc безизмена без_измена "
        "безизмјена без_измјена bezizmena bez_izmena bezizmjena bez_izmjena безгалерије без_галерије "
        "bezgalerije bez_galerije неиндексирај безиндексирања безиндекса без_индекса neindeksiraj "
        "bezindeksiranja bezindeksa bez_indeksa безлинказановиодељак безлинказановиодјељак безвезезановиодељак "
        "безвезезановиодјељак безновевезеодељка безновевезеодјељка без_нове_везе_одељка без_нове_везе_одјељка "
        "bezlinkazanoviodeljak bezlinkazanoviodjeljak bezvezezanoviodeljak bezvezezanoviodjeljak "
        "beznovevezeodeljka beznovevezeodjeljka bez_nove_veze_odeljka bez_nove_veze_odjeljka безкн bezkn "
        "безсадржаја без_садржаја bezsadržaja bez_sadržaja статичнопреусмерење статичнопреусмјерење "
        "статичкопреусмерење статичкопреусмјерење statičnopreusmerenje statičnopreusmjerenje "
        "statičkopreusmerenje statičkopreusmjerenje садржај sadržaj"
    ),
    "sv": (
        "alltidinnehållsförteckning doldkat indexera nyttavsnittlänk interedigerasektion ingetgalleri "
        "inteindexera ingeninnehållsförteckning statiskomdirigering innehållsförteckning"
    ),
    "uk": (
        "обов_зміст обязательное_оглавление обяз_огл прихов_кат прихована_категорія скрытая_категория індекс "
        "индекс посилання_на_новий_розділ ссылка_на_новый_раздел без_перетворення_тексту "
        "без_преобразования_текста без_редагув_розділу без_редактирования_раздела без_галереї без_галереи "
        "без_індексу без_индекса без_посилання_на_новий_розділ без_ссылки_на_новый_раздел "
        "без_перетворення_заголовку без_преобразования_заголовка без_змісту без_оглавления без_огл "
        "статичне_перенаправлення статическое_перенаправление зміст оглавление огл"
    ),
}

#: Parser functions by language: the name in lower case without ``#`` and ``:``, then ``=`` and MediaWiki's own.
FUNCTIONS: dict[str, str] = {
    "bg": (
        "пол=gender граматика=grammar мб=lc мбпърва=lcfirst съобщ=msg мн_число=plural необраб=raw замест=subst "
        "гб=uc гбпърва=ucfirst"
    ),
    "ca": (
        "formatnombre=formatnum separacióesquerra=padleft separacioesquerra=padleft borratgeesquèrra=padleft "
        "separaciódreta=padright separaciodreta=padright borratgedrecha=padright etiqueta=tag marcador=tag "
        "balisa=tag genre=gender gramatica=grammar minus=lc initminus=lcfirst linha=raw brut=raw majus=uc "
        "capit=uc initmajus=ucfirst"
    ),
    "cs": (
        "když=if kdyžexist=ifexist formátujdatum=formatdate formátujčíslo=formatnum pohlaví=gender "
        "skloňuj=grammar gramatika=grammar malá=lc prvnímalé=lcfirst zarovnatvlevo=padleft "
        "zarovnatvpravo=padright plurál=plural vložit=subst nahr=subst značka=tag velká=uc prvnívelké=ucfirst "
        "správa=msg"
    ),
    "da": "",
    "de": (
        "wechsle=switch standard=default datumsformat=formatdate zahlenformat=formatnum geschlecht=gender "
        "grammatik=grammar klein=lc initial_klein=lcfirst füllenlinks=padleft füllenrechts=padright roh=raw "
        "sicher_ers=safesubst sicherers=safesubst ers=subst erweiterung=tag gross=uc initial_gross=ucfirst"
    ),
    "en": (
        "expr=expr time=time property=property statements=statements "
        "if=if ifeq=ifeq ifexpr=ifexpr iferror=iferror switch=switch default=default ifexist=ifexist "
        "formatdate=formatdate dateformat=formatdate formatnum=formatnum gender=gender grammar=grammar lc=lc "
        "lcfirst=lcfirst msg=msg padleft=padleft padright=padright plural=plural raw=raw safesubst=safesubst "
        "subst=subst tag=tag uc=uc ucfirst=ucfirst"
    ),
    "es": (
        "si=if siigual=ifeq siexpr=ifexpr sierror=iferror según=switch predeterminado=default siexiste=ifexist "
        "formatodefecha=formatdate formatearfecha=formatdate formatonúmero=formatnum formatonumero=formatnum "
        "género=gender genero=gender gramatica=grammar gramática=grammar minus=lc minús=lc primerominus=lcfirst "
        "primerominús=lcfirst msj=msg rellenarizquierda=padleft rellenarizq=padleft rellenarderecha=padright "
        "rellenarder=padright sinformato=raw sinpuntos=raw sust=subst fijar=subst etiqueta=tag mayus=uc "
        "mayús=uc primeromayus=ucfirst primeromayús=ucfirst"
    ),
    "fr": (
        "si=if si==ifeq siexpr=ifexpr sierreur=iferror selon=switch défaut=default siexiste=ifexist "
        "formatnombre=formatnum genre=gender grammaire=grammar minus=lc initminus=lcfirst "
        "bourragegauche=padleft bourregauche=padleft bourragedroite=padright bourredroite=padright "
        "pluriel=plural brut=raw balise=tag majus=uc capit=uc initmajus=ucfirst initcapit=ucfirst"
    ),
    "hr": (
        "oblikbroja=formatnum gramatika=grammar ms=lc msprvo=lcfirst postavalijevo=padleft "
        "postavadesno=padright množina=plural neobrađeno=raw zamjena=subst oznaka=tag vs=uc vsprvo=ucfirst"
    ),
    "hu": (
        "ha=if haegyenlő=ifeq hakif=ifexpr hahibás=iferror alapértelmezett=default halétezik=ifexist "
        "dátumformázás=formatdate formázottszám=formatnum számformázás=formatnum számform=formatnum "
        "nyelvtan=grammar kisbetű=lc kisbetűk=lc kb=lc kisbetűs=lc kiskezdő=lcfirst kiskezdőbetű=lcfirst "
        "üzenet=msg üz=msg többesszám=plural beilleszt=subst bemásol=subst nagybetű=uc nagybetűk=uc nb=uc "
        "nagybetűs=uc nagykezdő=ucfirst nagykezdőbetű=ucfirst"
    ),
    "it": (
        "se=if seeq=ifeq seespr=ifexpr seerrore=iferror seesiste=ifexist formatodata=formatdate genere=gender "
        "plurale=plural sost=subst etichetta=tag"
    ),
    "nl": (
        "als=if alsgelijk=ifeq alsexpressie=ifexpr alsfout=iferror schakelen=switch standaard=default "
        "alsbestaat=ifexist datumopmaak=formatdate formatteernum=formatnum numformatteren=formatnum "
        "geslacht=gender grammatica=grammar kl=lc kleerste=lcfirst bericht=msg linksopvullen=padleft "
        "rechtsopvullen=padright meervoud=plural rauw=raw ruw=raw veiligverv=safesubst verv=subst label=tag "
        "hl=uc gleerste=ucfirst hleerste=ucfirst"
    ),
    "pl": (
        "płeć=gender odmiana=grammar małe=lc zmałej=lcfirst odmałej=lcfirst dolewej=padleft doprawej=padright "
        "mnoga=plural podst=subst wielkie=uc duże=uc zwielkiej=ucfirst zdużej=ucfirst odwielkiej=ucfirst "
        "oddużej=ucfirst"
    ),
    "pt": (
        "se=if seigual=ifeq seexpr=ifexpr seerro=iferror padrão=default padrao=default seexiste=ifexist "
        "genero=gender gênero=gender minuscula=lc minúscula=lc minusculas=lc minúsculas=lc "
        "primeiraminuscula=lcfirst primeiraminúscula=lcfirst maiuscula=uc maiúscula=uc maiusculas=uc "
        "maiúsculas=uc primeiramaiuscula=ucfirst primeiramaiúscula=ucfirst"
    ),
    "ro": (
        "formatdata=formatdate dataformat=formatdate formatnr=formatnum gen=gender gramatica=grammar "
        "minuscula=lc minusculaprima=lcfirst msj=msg brut=raw eticheta=tag majuscula=uc majusculaprima=ucfirst"
    ),
    "ru": (
        "если=if еслиошибка=iferror переключатель=switch умолчание=default форматдаты=formatdate "
        "форматировать_число=formatnum пол=gender падеж=grammar маленькими_буквами=lc "
        "первая_буква_маленькая=lcfirst сообщение=msg сообщ=msg заполнить_слева=padleft "
        "заполнить_справа=padright множественное_число=plural необраб=raw защподст=safesubst подстановка=subst "
        "подст=subst метка=tag тег=tag тэг=tag большими_буквами=uc первая_буква_большая=ucfirst"
    ),
    "sl": "spol=gender sklon=grammar mnozina=plural oznaka=tag",
    "sr": (
        "форматдатума=formatdate формат_датума=formatdate formatdatuma=formatdate format_datuma=formatdate "
        "род=gender лице=gender rod=gender lice=gender граматика=grammar gramatika=grammar лц=lc лцпрви=lcfirst "
        "lcprvi=lcfirst пор=msg por=msg попунилево=padleft попунилијево=padleft попуналево=padleft "
        "попуналијево=padleft поравнајлево=padleft поравнајлијево=padleft поравнај_лево=padleft "
        "поравнај_лијево=padleft поравнајулево=padleft поравнај_улево=padleft поравнајулијево=padleft "
        "поравнај_улијево=padleft popunilevo=padleft popunilijevo=padleft popunalevo=padleft "
        "popunalijevo=padleft poravnajlevo=padleft poravnajlijevo=padleft poravnaj_levo=padleft "
        "poravnaj_lijevo=padleft poravnajulevo=padleft poravnaj_ulevo=padleft poravnajulijevo=padleft "
        "poravnaj_ulijevo=padleft попунидесно=padright попунадесно=padright поравнајдесно=padright "
        "поравнај_десно=padright поравнајудесно=padright поравнај_удесно=padright popunidesno=padright "
        "popunadesno=padright poravnajdesno=padright poravnaj_desno=padright poravnajudesno=padright "
        "poravnaj_udesno=padright множина=plural množina=plural чист=raw čist=raw безбедназамена=safesubst "
        "безбједназамјена=safesubst безбедна_замена=safesubst безбједна_замјена=safesubst "
        "bezbednazamena=safesubst bezbjednazamjena=safesubst bezbedna_zamena=safesubst "
        "bezbjedna_zamjena=safesubst замени=subst замијени=subst замена=subst замјена=subst субст=subst "
        "zameni=subst zamijeni=subst zamena=subst zamjena=subst ознака=tag oznaka=tag уц=uc уцпрви=ucfirst "
        "ucprvi=ucfirst ако=if ako=if подразумевано=default podrazumevano=default"
    ),
    "sv": (
        "om=if omlika=ifeq omutr=ifexpr omfel=iferror växel=switch standard=default omfinns=ifexist "
        "formateradatum=formatdate datumformat=formatdate formateranum=formatnum formateratal=formatnum "
        "kön=gender grammatik=grammar lb=lc lbförst=lcfirst med=msg rå=raw byt=subst tagg=tag sb=uc "
        "sbförst=ucfirst"
    ),
    "uk": (
        "якщо=if если=if якщорівні=ifeq рівні=ifeq якщовираз=ifexpr якщопомилка=iferror еслиошибка=iferror "
        "вибірка=switch переключатель=switch інакше=default за_замовчуванням=default умолчание=default "
        "якщоіснує=ifexist форматдати=formatdate форматдаты=formatdate форматувати_число=formatnum "
        "форматировать_число=formatnum стать=gender пол=gender відмінок=grammar падеж=grammar нр=lc "
        "нижній_регістр=lc малими_буквами=lc малими_літерами=lc маленькими_буквами=lc нр_перша=lcfirst "
        "перша_буква_мала=lcfirst перша_літера_мала=lcfirst мала_перша_літера=lcfirst "
        "первая_буква_маленькая=lcfirst повід=msg повідомлення=msg сообщение=msg сообщ=msg "
        "заповнити_ліворуч=padleft заполнить_слева=padleft заповнити_праворуч=padright "
        "заполнить_справа=padright множина=plural множественное_число=plural необроб=raw необраб=raw "
        "безпечна_підстановка=safesubst защподст=safesubst підст=subst підстановка=subst подстановка=subst "
        "подст=subst тег=tag мітка=tag теґ=tag метка=tag тэг=tag вр=uc верхній_регістр=uc великими_буквами=uc "
        "великими_літерами=uc большими_буквами=uc вр_перша=ucfirst перша_буква_велика=ucfirst "
        "перша_літера_велика=ucfirst велика_перша_літера=ucfirst первая_буква_большая=ucfirst"
    ),
}

#: Prefixes of links to the same page in another language, in the margin of a page unless a colon comes first.
LANGUAGES = (
    "aa ab ace ady af als alt am ami an ang anp ar arc ary arz as ast atj av avk awa ay az azb ba ban bar "
    "bat-smg bbc bcl be be-tarask be-x-old bew bg bh bi bjn blk bm bn bo bpy br bs btm bug bxr ca cbk-zam cdo "
    "ce ceb ch cho chr chy ckb co cr crh cs csb cu cv cy da dag de dga din diq dsb dtp dty dv dz ee egl el eml "
    "en eo es et eu ext fa fat ff fi fiu-vro fj fo fon fr frp frr fur fy ga gag gan gcr gd gl glk gn gom gor "
    "got gpe gsw gu guc gur guw gv ha hak haw he hi hif ho hr hsb ht hu hy hyw hz ia id ie ig igl ii ik ilo inh "
    "io is it iu ja jam jbo jv ka kaa kab kbd kbp kcg kg ki kj kk kl km kn ko koi kr krc ks ksh ku kus kv kw ky "
    "la lad lb lbe lez lfn lg li lij lld lmo ln lo lrc lt ltg lv lzh mad mai map-bms mdf mg mh mhr mi min mk ml "
    "mn mni mnw mo mr mrj ms mt mus mwl my myv mzn na nah nan nap nb nds nds-nl ne new ng nia nl nn no nov nqo "
    "nrm nso nv ny oc olo om or os pa pag pam pap pcd pcm pdc pfl pi pih pl pms pnb pnt ps pt pwn qu rm rmy rn "
    "ro roa-rup roa-tara ru rue rup rw sa sah sat sc scn sco sd se sg sgs sh shi shn shy si simple sk skr sl sm "
    "smn sn so sq sr srn ss st stq su sv sw szl szy ta tay tcy te tet tg th ti tk tl tly tn to tpi tr trv ts tt "
    "tum tw ty tyv udm ug uk ur uz ve vec vep vi vls vo vro wa war wo wuu xal xh xmf yi yo yue za zea zgh zh "
    "zh-classical zh-cn zh-min-nan zh-tw zh-yue zu"
)
