"""Write a model as one GGUF file, which llama.cpp runs: weights, shape and tokenizer in one.

llama.cpp rotates LLaMA's pairs as Meta's own code does, neighbours ``(x[2r], x[2r + 1])``, so the rows of queries and
keys are permuted on the way (here pairs lie half a head apart). The norms stay float32, as llama.cpp asks.
"""

import math
import os
from collections.abc import Iterator
from typing import Any, Literal

import ml_dtypes
import numpy as np
import sentencepiece
from gguf import GGMLQuantizationType, GGUFWriter, LlamaFileType, TokenType

from train.huggingface import Weights, places, stored_shape, to_state
from train.huggingface_config import BOS_ID, EOS_ID
from train.model import ModelSettings, Params

GgufDtype = Literal["fp32", "fp16", "bf16"]

_KINDS = {
    "fp32": (np.dtype(np.float32), GGMLQuantizationType.F32, LlamaFileType.ALL_F32),
    "fp16": (np.dtype(np.float16), GGMLQuantizationType.F16, LlamaFileType.MOSTLY_F16),
    "bf16": (np.dtype(ml_dtypes.bfloat16), GGMLQuantizationType.BF16, LlamaFileType.MOSTLY_BF16),
}
_NAMES = {
    "embedding": "token_embd",
    "attention_norm": "attn_norm",
    "query": "attn_q",
    "key": "attn_k",
    "value": "attn_v",
    "output": "attn_output",
    "ffn_norm": "ffn_norm",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
    "final_norm": "output_norm",
    "unembedding": "output",
}
_PADDING_SCORE = -1000.0


def export_gguf(
    params: Params, settings: ModelSettings, tokenizer: bytes, path: str, *, dtype: GgufDtype = "bf16"
) -> None:
    """Write the file; it appears under its name when it is whole, and weights are fetched one at a time.

    Args:
        params: The weights.
        settings: Their shape.
        tokenizer: The SentencePiece model.
        path: The file to make.
        dtype: Of the matrices.

    Raises:
        ValueError: There is such a file.
        OSError: It cannot be written; nothing is left of it.
    """
    if os.path.exists(path):
        raise ValueError(f"{path}: there is such a file already; name another one")
    settings = settings.model_copy(update={"vocab_size": params.embedding.shape[0]})
    partial = path + ".partial"
    writer = GGUFWriter(partial, "llama")
    try:
        _add_shape(writer, settings, dtype)
        _add_tokenizer(writer, tokenizer, params.embedding.shape[0])
        for name, shape, kind in _shapes(settings, params, dtype):
            stored, quantization, _ = _KINDS[kind]
            size = math.prod(shape) * stored.itemsize
            writer.add_tensor_info(name, shape, stored, size, raw_dtype=quantization)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for weight in _weights(params, settings, dtype):
            writer.write_tensor_data(weight)
        writer.close()
        os.replace(partial, path)
    except OSError:
        if os.path.exists(partial):
            os.remove(partial)
        raise


def neighbouring_pairs(weight: Weights, heads: int) -> Weights:
    """Bring rows that pair half a head apart, ``[out, in]``, into Meta's order of neighbouring pairs.

    >>> neighbouring_pairs(np.arange(8)[:, None], 2)[:, 0].tolist()
    [0, 2, 1, 3, 4, 6, 5, 7]
    """
    rows, width = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2).reshape(rows, width)


def _add_shape(writer: GGUFWriter, settings: ModelSettings, dtype: GgufDtype) -> None:
    writer.add_context_length(settings.context)
    writer.add_embedding_length(settings.width)
    writer.add_block_count(settings.layers)
    writer.add_feed_forward_length(settings.ffn_size)
    writer.add_head_count(settings.heads)
    writer.add_head_count_kv(settings.heads)
    writer.add_rope_dimension_count(settings.head_size)
    writer.add_rope_freq_base(settings.rope_theta)
    writer.add_layer_norm_rms_eps(settings.norm_eps)
    writer.add_vocab_size(settings.vocab_size or 0)
    writer.add_file_type(_KINDS[dtype][2])


def _add_tokenizer(writer: GGUFWriter, tokenizer: bytes, vocab_size: int) -> None:
    """Put the pieces with their scores and types; rows that pad the embeddings become unused pieces."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer)
    count = processor.get_piece_size()
    padding = range(count, vocab_size)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([processor.id_to_piece(n).encode() for n in range(count)] + [b"[PAD%d]" % n for n in padding])
    writer.add_token_scores([processor.get_score(n) for n in range(count)] + [_PADDING_SCORE] * len(padding))
    writer.add_token_types([_type(processor, n) for n in range(count)] + [TokenType.UNUSED] * len(padding))
    writer.add_bos_token_id(BOS_ID)
    writer.add_eos_token_id(EOS_ID)
    writer.add_unk_token_id(processor.unk_id())
    writer.add_add_bos_token(value=True)
    writer.add_add_eos_token(value=False)
    writer.add_add_space_prefix(value=True)


def _type(processor: Any, number: int) -> TokenType:
    kinds = (
        (processor.is_unknown, TokenType.UNKNOWN),
        (processor.is_control, TokenType.CONTROL),
        (processor.is_byte, TokenType.BYTE),
        (processor.is_unused, TokenType.UNUSED),
    )
    return next((kind for is_one, kind in kinds if is_one(number)), TokenType.NORMAL)


def _shapes(
    settings: ModelSettings, params: Params, dtype: GgufDtype
) -> Iterator[tuple[str, tuple[int, ...], GgufDtype]]:
    """Give names, shapes and types of all tensors, in the order of :func:`_weights`, without fetching one."""
    for place in places(settings).values():
        leaf = getattr(params if place.layer is None else params.layers, place.field)
        shape = leaf.shape if place.layer is None else leaf.shape[1:]
        prefix = "" if place.layer is None else f"blk.{place.layer}."
        kind = "fp32" if place.field.endswith("_norm") else dtype
        yield f"{prefix}{_NAMES[place.field]}.weight", stored_shape(shape, place.field), kind


def _weights(params: Params, settings: ModelSettings, dtype: GgufDtype) -> Iterator[Weights]:
    fields = [place.field for place in places(settings).values()]
    for field, (_, weight) in zip(fields, to_state(params, settings), strict=True):
        turned = neighbouring_pairs(weight, settings.heads) if field in ("query", "key") else weight
        kind = "fp32" if field.endswith("_norm") else dtype
        yield np.ascontiguousarray(turned, dtype=_KINDS[kind][0])
