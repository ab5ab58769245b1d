"""A SentencePiece model as the three files that Hugging Face's libraries load, with the ids of SentencePiece.

The class named is ``PreTrainedTokenizerFast``, because it takes ``tokenizer.json`` as it is: transformers 5's
``LlamaTokenizer`` puts no led-in space before a text that begins with one, so its ids differ from SentencePiece's
there. ``split_special_tokens`` keeps the letters of ``<s>`` in a text apart, as SentencePiece does; the library
``tokenizers`` alone, which does not read that setting, makes the special token of them. Merges are not in the model
file: they are every way to make a piece of two others, in the order of the pieces' scores.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tokenizer.model_file import ModelFile
from tokenizer.segments import SPACE_SYMBOL

TOKENIZER_JSON = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"
SPECIAL_TOKENS_MAP = "special_tokens_map.json"

_ROLES = {0: "unk_token", 1: "bos_token", 2: "eos_token"}
_SPECIAL_KINDS = frozenset({"unknown", "control"})


def huggingface_files(model: ModelFile, *, bos: bool = True, eos: bool = False) -> dict[str, bytes]:
    """Export a model.

    Args:
        model: A model without faults, see :func:`tokenizer.model_file.llama_faults`.
        bos: Whether encoding puts BOS before a text, as LLaMA's own code does when it is asked to.
        eos: Whether it puts EOS after it.

    Returns:
        The files' contents by name; equal models give equal bytes.
    """
    special = {role: model.pieces[token_id].text for token_id, role in _ROLES.items()}
    added = [
        _added(token_id, piece.text) for token_id, piece in enumerate(model.pieces) if piece.kind in _SPECIAL_KINDS
    ]
    config = {
        "add_bos_token": bos,
        "add_eos_token": eos,
        **special,
        "added_tokens_decoder": {str(token["id"]): {k: v for k, v in token.items() if k != "id"} for token in added},
        "clean_up_tokenization_spaces": False,
        "model_max_length": int(1e30),
        "pad_token": None,
        "split_special_tokens": True,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    contents = {
        TOKENIZER_JSON: _tokenizer(model, added, special, bos=bos, eos=eos),
        TOKENIZER_CONFIG: config,
        SPECIAL_TOKENS_MAP: special,
    }
    return {
        name: (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode() for name, content in contents.items()
    }


def merges(model: ModelFile) -> Iterator[tuple[str, str]]:
    """Yield the pairs of pieces that merge, the first to be merged first.

    Of pairs that make the same piece, SentencePiece merges the leftmost; the order among them matters only where both
    overlap in a text, which no order of theirs can settle in general. The one taken here, by the ids of the parts, gave
    SentencePiece's ids on all texts it was tried on.
    """
    ids = {piece.text: token_id for token_id, piece in enumerate(model.pieces) if piece.kind == "normal"}
    for text in sorted(ids, key=lambda text: (-model.pieces[ids[text]].score, ids[text])):
        pairs = [(text[:cut], text[cut:]) for cut in range(1, len(text))]
        whole = [pair for pair in pairs if pair[0] in ids and pair[1] in ids]
        yield from sorted(whole, key=lambda pair: (ids[pair[0]], ids[pair[1]]))


def _added(token_id: int, text: str) -> dict[str, Any]:
    return {
        "id": token_id,
        "content": text,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def _tokenizer(
    model: ModelFile, added: list[dict[str, Any]], special: Mapping[str, str], *, bos: bool, eos: bool
) -> dict[str, Any]:
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {
            "type": "Sequence",
            "normalizers": _normalizers(merging=model.settings["remove_extra_whitespaces"]),
        },
        "pre_tokenizer": None,
        "post_processor": _template(special, bos=bos, eos=eos),
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": SPACE_SYMBOL}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": special["unk_token"],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {piece.text: token_id for token_id, piece in enumerate(model.pieces)},
            "merges": [list(pair) for pair in merges(model)],
        },
    }


def _normalizers(*, merging: bool) -> list[dict[str, Any]]:
    led_in: list[dict[str, Any]] = [
        {"type": "Prepend", "prepend": SPACE_SYMBOL},
        {"type": "Replace", "pattern": {"String": " "}, "content": SPACE_SYMBOL},
    ]
    if not merging:
        return led_in
    ends: dict[str, Any] = {"type": "Replace", "pattern": {"Regex": r"\A +| +\z"}, "content": ""}
    runs: dict[str, Any] = {"type": "Replace", "pattern": {"Regex": " +"}, "content": " "}
    return [ends, runs, *led_in]


def _template(special: Mapping[str, str], *, bos: bool, eos: bool) -> dict[str, Any]:
    def around(sequence: str) -> list[dict[str, Any]]:
        type_id = "AB".index(sequence)
        before = [{"SpecialToken": {"id": special["bos_token"], "type_id": type_id}}] if bos else []
        after = [{"SpecialToken": {"id": special["eos_token"], "type_id": type_id}}] if eos else []
        return [*before, {"Sequence": {"id": sequence, "type_id": type_id}}, *after]

    used = [(1, "bos_token")] * bos + [(2, "eos_token")] * eos
    return {
        "type": "TemplateProcessing",
        "single": around("A"),
        "pair": [*around("A"), *around("B")],
        "special_tokens": {
            special[role]: {"id": special[role], "ids": [token_id], "tokens": [special[role]]}
            for token_id, role in used
        },
    }
