"""The language of a source file, told by its name; metadata, and what tells how its comments look.

Names are those of GitHub's Linguist. Whole names come first (``Dockerfile``, ``CMakeLists.txt``), then the extension,
without regard to case but for those where case tells languages apart (``.C``, ``.H``, ``.R``). Where an extension has
several languages, the one most files have stands here: ``.h`` is C, ``.m`` Objective-C, ``.pl`` Perl, ``.v`` Verilog.
"""

import posixpath

_EXTENSIONS = {
    "Ada": "adb ads ada",
    "Assembly": "asm s nasm a51",
    "AutoHotkey": "ahk",
    "Awk": "awk",
    "Batchfile": "bat cmd",
    "C": "c h idc",
    "C#": "cs csx cake",
    "C++": "cpp cc cxx c++ hpp hh hxx h++ ipp inl tcc tpp txx",
    "CMake": "cmake",
    "COBOL": "cob cbl cpy",
    "CSS": "css",
    "Clojure": "clj cljs cljc edn",
    "CoffeeScript": "coffee",
    "Common Lisp": "lisp lsp cl asd",
    "Crystal": "cr",
    "Cuda": "cu cuh",
    "Cython": "pyx pxd pxi",
    "D": "d di",
    "Dart": "dart",
    "Dockerfile": "dockerfile",
    "Elixir": "ex exs",
    "Elm": "elm",
    "Emacs Lisp": "el",
    "Erlang": "erl hrl",
    "F#": "fs fsi fsx",
    "Forth": "fth 4th",
    "Fortran": "f90 f f03 f08 f77 f95 for fpp",
    "GLSL": "glsl vert frag geom",
    "Go": "go",
    "Groovy": "groovy gradle",
    "HCL": "tf hcl",
    "HTML": "html htm xhtml",
    "Handlebars": "hbs handlebars mustache",
    "Haskell": "hs lhs",
    "INI": "ini cfg",
    "Java": "java",
    "JavaScript": "js jsx mjs cjs",
    "Jinja": "j2 jinja jinja2",
    "Julia": "jl",
    "Kotlin": "kt kts",
    "Less": "less",
    "Lua": "lua",
    "M4": "m4 ac",
    "MATLAB": "matlab",
    "Makefile": "mk mak make",
    "Markdown": "md markdown mkd",
    "Meson": "meson",
    "Nim": "nim",
    "Nix": "nix",
    "OCaml": "ml mli mll mly",
    "Objective-C": "m",
    "Objective-C++": "mm",
    "PHP": "php php3 php4 php5 phps phpt inc",
    "Pascal": "pas dpr pp lpr",
    "Perl": "pl pm perl t al ph",
    "PLpgSQL": "pgsql",
    "Pod": "pod",
    "PostScript": "ps eps",
    "PowerShell": "ps1 psd1 psm1",
    "Prolog": "pro prolog",
    "Protocol Buffer": "proto",
    "Python": "py pyw pyi py3 wsgi",
    "QML": "qml",
    "R": "r",
    "Racket": "rkt",
    "Ruby": "rb rake gemspec ru",
    "Rust": "rs",
    "SCSS": "scss",
    "SQL": "sql",
    "Sass": "sass",
    "Scala": "scala sc sbt",
    "Scheme": "scm ss sld",
    "Shell": "sh bash command zsh ksh bats",
    "Smali": "smali",
    "Smalltalk": "st",
    "Standard ML": "sml sig fun",
    "Starlark": "bzl star",
    "Svelte": "svelte",
    "Swift": "swift",
    "SystemVerilog": "sv svh",
    "TOML": "toml",
    "TSX": "tsx",
    "Tcl": "tcl tk",
    "TeX": "tex sty cls ltx dtx bst",
    "Thrift": "thrift",
    "Text": "txt",
    "TypeScript": "ts mts cts",
    "VBA": "bas frm",
    "VBScript": "vbs",
    "VHDL": "vhd vhdl",
    "Verilog": "v vh",
    "Vim Script": "vim",
    "Visual Basic .NET": "vb",
    "Vue": "vue",
    "XML": "xml xsd xsl xslt svg wsdl",
    "YAML": "yaml yml",
    "Zig": "zig",
    "reStructuredText": "rst rest",
}
_BY_EXTENSION = {extension: language for language, names in _EXTENSIONS.items() for extension in names.split()}
_BY_CASED_EXTENSION = {"C": "C++", "H": "C++"}
_BY_NAME = {
    ".bashrc": "Shell",
    ".emacs": "Emacs Lisp",
    ".profile": "Shell",
    ".vimrc": "Vim Script",
    "build": "Starlark",
    "build.bazel": "Starlark",
    "cmakelists.txt": "CMake",
    "containerfile": "Dockerfile",
    "dockerfile": "Dockerfile",
    "gemfile": "Ruby",
    "gnumakefile": "Makefile",
    "jenkinsfile": "Groovy",
    "makefile": "Makefile",
    "makefile.am": "Makefile",
    "makefile.in": "Makefile",
    "meson.build": "Meson",
    "pkgbuild": "Shell",
    "podfile": "Ruby",
    "rakefile": "Ruby",
    "sconscript": "Python",
    "sconstruct": "Python",
    "vagrantfile": "Ruby",
    "workspace": "Starlark",
}


def code_language(path: str) -> str:
    """Tell the language of a file by its name; empty where the name does not.

    >>> code_language("src/main.cc"), code_language("docker/Dockerfile"), code_language("Dockerfile.test")
    ('C++', 'Dockerfile', 'Dockerfile')
    >>> code_language("setup.PY"), code_language("notes"), code_language("a.C")
    ('Python', '', 'C++')
    """
    name = posixpath.basename(path.replace("\\", "/"))
    found = _BY_NAME.get(name.lower())
    if found:
        return found
    stem, _, extension = name.rpartition(".")
    if extension in _BY_CASED_EXTENSION and stem:
        return _BY_CASED_EXTENSION[extension]
    found = _BY_EXTENSION.get(extension.lower()) if stem else None
    return found or ("Dockerfile" if name.lower().startswith("dockerfile.") else "")
