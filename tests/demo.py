"""Parts of the demo's config, for tests that need no more."""

#: What leaves a run the two web sources.
WEB_ALONE = (
    "sources.wikipedia=null",
    "sources.stackexchange=null",
    "sources.books=null",
    "sources.arxiv=null",
    "sources.github=null",
    "mixture=null",
)
#: What leaves a run the sources that are not of the web, to their documents.
TEXTS_ALONE = (
    "sources.c4=null",
    "sources.commoncrawl=null",
    "decontamination=null",
    "tokenizer=null",
    "tokens=null",
)
#: What leaves a run no C4, of the crawl what brute force can trace, and all documents in its token shards.
WITHOUT_MODELS = (
    "sources.c4=null",
    "sources.commoncrawl.perplexity=null",
    "sources.commoncrawl.reference=null",
    "mixture=null",
    "decontamination=null",
)
