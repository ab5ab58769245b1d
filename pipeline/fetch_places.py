"""Where dumps, models and word lists are published, and what is known of them before they come.

None of these addresses could be tried while this was written; each is as its makers, or users of theirs, write it.
"""

from enum import StrEnum

#: Common Crawl's server; the old address on S3 (``commoncrawl.s3.amazonaws.com``) answers 403.
CRAWL_URL = "https://data.commoncrawl.org"
#: The dumps there are.
DUMPS_URL = "https://index.commoncrawl.org/collinfo.json"

#: fastText's language identification (Joulin et al., 2016; fasttext.cc/docs/en/language-identification.html).
LID_URL = "https://dl.fbaipublicfiles.com/fasttext/supervised-models"
LID_NAME = "lid.176.bin"
#: fastText publishes none; this is what packagers pin (the AUR's ``fasttext-langid-models``, for one).
LID_SHA256 = "7e69ec5451bc261cc7844e49e4792a85d7f09c06789ec800fc4a44aec362764e"

#: CCNet's KenLM and SentencePiece models (Wenzek et al., 2020; ``Makefile`` of cc_net, target ``dl_lm``).
CCNET_URL = "https://dl.fbaipublicfiles.com/cc_net/lm"
#: The languages of that ``Makefile``.
CCNET_LANGUAGES = (
    *("af", "ar", "az", "be", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi"),
    *("fr", "gu", "he", "hi", "hr", "hu", "hy", "id", "is", "it", "ja", "ka", "kk", "km", "kn", "ko"),
    *("lt", "lv", "mk", "ml", "mn", "mr", "my", "ne", "nl", "no", "pl", "pt", "ro", "ru", "uk", "zh"),
)

#: The "List of Dirty, Naughty, Obscene, and Otherwise Bad Words" at the commit that C4 names (``c4.py``).
BAD_WORDS_URL = (
    "https://raw.githubusercontent.com/LDNOOBW/List-of-Dirty-Naughty-Obscene-and-Otherwise-Bad-Words/"
    "25e679f03d96baa721cde20db9944649e8d0a844"
)


class Kind(StrEnum):
    """Which files of a dump: extracted text, or the pages as they were served."""

    WET = "wet"
    WARC = "warc"
