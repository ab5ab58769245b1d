"""Source files that nobody wrote as they are: generated, minified, vendored, or data in a source file's clothes.

Paths are judged as GitHub's Linguist judges them, in its spirit and not to the letter; contents by what the tools say
of themselves in a header's comment. A file that speaks of generated code anywhere else is somebody's work.
"""

import posixpath
import re

from filters.code_comments import header_comments

_VENDORED = frozenset(
    """
    node_modules bower_components jspm_packages vendor vendors vendored _vendor third_party third-party thirdparty
    3rdparty 3rd_party 3rd-party site-packages dist-packages .venv .tox .yarn .bundle .eggs
    """.split()  # noqa: SIM905 (read as one)
)
#: Folders whose names are words too count as tools write them: ``venv`` and ``virtualenv`` are packages of Python.
_VENDORED_PATH = re.compile(
    r"(?:\A|/)(?:(?:venv|virtualenv)/(?:bin|include|Include|lib|Lib|lib64|local|Scripts|share)|Carthage|Godeps|Pods)/|"
    r"\.egg/"
)
_VENDORED_NAME = re.compile(
    r"(?:jquery|bootstrap|angular|react|d3|three|prototype|mootools|underscore|backbone|modernizr|require|ember)"
    r"(?:[.-]\d[\w.]{0,30})?(?:[.-]min)?\.(?:js|css)|gradlew(?:\.bat)?|mvnw(?:\.cmd)?|(?:config|libtool|ltmain)\.sh|"
    r"(?:configure|config\.guess|config\.sub|install-sh|depcomp|missing|aclocal\.m4|libtool\.m4)",
    re.IGNORECASE,
)
_GENERATED_NAME = re.compile(
    r".+(?:_pb2(?:_grpc)?\.pyi?|\.pb\.(?:go|cc|h|gw\.go)|\.pb-c\.[ch]|_pb\.(?:js|rb|d\.ts)|\.designer\.(?:cs|vb)|"
    r"\.g\.(?:cs|dart)|\.freezed\.dart|\.generated\.\w+|_generated\.\w+|\.feature\.cs|zz_generated\.\w+\.go)|"
    r"(?:package-lock|npm-shrinkwrap|composer\.lock)\.json|(?:yarn|poetry|pdm|cargo|gemfile|pipfile|composer)\.lock|"
    r"(?:pnpm-lock\.yaml|go\.sum|uv\.lock|flake\.lock)",
    re.IGNORECASE,
)
_MINIFIED_NAME = re.compile(r".+[.-]min\.(?:js|css|mjs)|.+\.bundle\.js|.+\.(?:js|css)\.map", re.IGNORECASE)
_LICENCE_NAME = re.compile(
    r"(?:un)?licen[cs]es?(?:[._-][\w.-]{0,60})?|copying(?:[._-][\w.-]{0,60})?|copyright(?:\.\w+)?|notice(?:\.\w+)?|"
    r"patents(?:\.\w+)?|third[_-]?party[_-]?(?:notices?|licen[cs]es?)(?:\.\w+)?",
    re.IGNORECASE,
)
_SOURCE_ENDING = re.compile(r"\.(?:py|js|ts|tsx|go|rs|java|c|h|cc|cpp|cs|rb|php|sh|pl|scala|hs)$", re.IGNORECASE)
_DATA = frozenset(
    """
    csv tsv json jsonl ndjson geojson topojson ipynb svg map lock log dat data sav npy npz mat parquet arrow avro h5
    hdf5 pkl pickle db sqlite po pot mo strings resx xlf properties plist pbxproj obj stl ply dae gltf fbx wav mid pdb
    sdf mol xyz pgn fasta fa fastq gb vcf bed gff srt vtt ics kml gpx osm tmx crt pem key cer asc sig patch diff snap
    """.split()  # noqa: SIM905 (read as one)
)

_HEAD_CHARS = 8192
_MARKS = re.compile(
    r"@generated\b|<auto-?generated|\bdo not (?:edit|modify|change) (?:this|the) (?:file|code)|"
    r"\b(?:do not|don't|never) (?:edit|modify)(?: this)?(?: file)?(?: by hand| manually| directly)|"
    r"(?:auto-?|automatically |machine[- ])generated\b.{0,80}\b(?:by|from|with|using|do not|don't|file|code|on)\b|"
    r"\bgenerated\b.{0,120}\b(?:do not|don't|please do not) (?:edit|modify|change)|"
    r"\b(?:do not|don't) (?:edit|modify)\b.{0,120}\bgenerated\b|"
    r"\bthis (?:file|code|module|header|class|source|script) (?:is|was|has been) (?:\w+ )?(?:auto-?)?generated\b|"
    r"(?:\A|\n\n)(?:file |code )?(?:auto-?)?generated (?:automatically |code )?(?:by|from|with|using)\b|"
    r"^this is file .{0,80}\ngenerated with\b|^this is an? (?:auto(?:matically)?[- ]?)?generated file",
    re.MULTILINE,
)


def is_vendored(path: str) -> bool:
    """Tell whether a file lies where copies of other projects do, or is one by its name.

    >>> is_vendored("web/node_modules/a/index.js"), is_vendored("src/vendor.py"), is_vendored("static/jquery-3.1.0.js")
    (True, False, True)
    """
    *folders, name = path.lower().split("/")
    if not _VENDORED.isdisjoint(folders) or _VENDORED_PATH.search(path):
        return True
    return bool(_VENDORED_NAME.fullmatch(name))


def is_generated_name(path: str) -> bool:
    """Tell whether a file has the name that a generator or a package manager gives.

    >>> is_generated_name("a/service_pb2.py"), is_generated_name("package-lock.json"), is_generated_name("lock.json")
    (True, True, False)
    """
    return bool(_GENERATED_NAME.fullmatch(posixpath.basename(path)))


def is_minified_name(path: str) -> bool:
    """Tell whether a file has the name of minified or bundled code, as ``a.min.js``."""
    return bool(_MINIFIED_NAME.fullmatch(posixpath.basename(path)))


def is_licence_name(path: str) -> bool:
    """Tell whether a file is a licence or notice by its name; source code called like one is not.

    >>> is_licence_name("LICENSE"), is_licence_name("doc/COPYING.LESSER"), is_licence_name("license.py")
    (True, True, False)
    """
    name = posixpath.basename(path)
    return bool(_LICENCE_NAME.fullmatch(name)) and not _SOURCE_ENDING.search(name)


def is_data_name(path: str) -> bool:
    """Tell whether a file is data by its ending."""
    return posixpath.basename(path).rpartition(".")[2].lower() in _DATA


def says_generated(text: str, language: str) -> bool:
    r"""Tell whether the comments before a file's code, in its first 8,192 characters, say that a program wrote it.

    >>> says_generated("// Code generated by stringer; DO NOT EDIT.\npackage a\n", "Go")
    True
    >>> says_generated("import re\n# Finds generated files, do not edit.\n", "Python")
    False
    """
    head = text[:_HEAD_CHARS]
    lowered = head.lower()
    if not any(sign in lowered for sign in _SIGNS_OF_GENERATED):
        return False
    for comment in header_comments(text, language):
        lines = [line.strip(_SIGNS).lower() for line in "".join(comment.lines)[:_HEAD_CHARS].split("\n")]
        if comment.start >= _HEAD_CHARS or _MARKS.search("\n".join(lines)):
            return comment.start < _HEAD_CHARS
    return False


_SIGNS_OF_GENERATED = ("generated", "not edit", "n't edit", "never edit", "not modify", "n't modify", "not change")
_SIGNS = "/*#;%!-<>'\"=+|\\{}~_^() \t\r\n"
