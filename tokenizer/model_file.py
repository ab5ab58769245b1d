"""What is in a SentencePiece model file, and whether token shards can be made with it.

Refused is what would make wrong shards or an export that lies: another algorithm than BPE, special ids that are not
LLaMA's 0, 1 and 2, byte pieces missing, user-defined pieces (Hugging Face's libraries lead in a
space after each, so their ids differ), a normaliser that maps characters or leads in no space. Only noted is a model
that drops spaces at the ends and merges runs of them: OpenLLaMA's first tokenizer does (its README of 15 June 2023 says
so and warns of code), so what was trained with it needs shards made with it, though its decoding does not give back the
text. Noted, too, is each training setting that is not LLaMA's: it has had its effect on the pieces, and none on ids.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from tokenizer.segments import SPACE_SYMBOL
from tokenizer.training import LLAMA_TRAINER

_BYTE_VALUES = 256
_BPE = 2
#: What other normalisers would change: ligature, full width, combining mark, spaces.
_NORMALIZER_PROBE = "  a\t\n ﬁ Ａ e\u0301 \u3000\u00a0 "
_NORMALIZER = ("normalization_rule_name", "add_dummy_prefix", "remove_extra_whitespaces")
#: The settings of LLaMA's model that are settings here, or that our own training can not have.
_LLAMA_SETTINGS = {
    **LLAMA_TRAINER,
    "vocab_size": 32_000,
    "character_coverage": 0.99995,
    "max_sentence_length": 4192,
    "max_sentencepiece_length": 16,
    "num_threads": 80,
    "hard_vocab_limit": True,
}


class UnsuitableModel(ValueError):
    """A SentencePiece model that can not be used, with what it lacks."""


@dataclass(frozen=True, slots=True)
class Piece:
    """An entry of the vocabulary.

    Attributes:
        text: The piece, spaces written as U+2581.
        score: Its score; of two possible merges the one of the greater score is made.
        kind: ``normal``, ``unknown``, ``control``, ``user_defined``, ``byte`` or ``unused``.
    """

    text: str
    score: float
    kind: str


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file's content.

    Attributes:
        pieces: The vocabulary, in the order of ids.
        settings: The training's and the normaliser's settings that LLaMA's model states, under the trainer's names.
    """

    pieces: tuple[Piece, ...]
    settings: dict[str, Any]

    @property
    def differences(self) -> dict[str, tuple[Any, Any]]:
        """Settings that are not those of LLaMA's model: what they are, and what LLaMA's are."""
        return {
            name: (value, _LLAMA_SETTINGS[name])
            for name, value in self.settings.items()
            if value != _LLAMA_SETTINGS[name]
        }


def read_model_file(model: bytes) -> ModelFile:
    """Read a model file that SentencePiece loads.

    Args:
        model: The file's bytes.
    """
    content = sentencepiece_model_pb2.ModelProto()
    content.ParseFromString(model)
    kinds = content.SentencePiece.Type
    pieces = tuple(Piece(piece.piece, piece.score, kinds.Name(piece.type).lower()) for piece in content.pieces)
    return ModelFile(pieces, {name: _setting(content, name) for name in _LLAMA_SETTINGS})


def load_processor(model: bytes) -> sentencepiece.SentencePieceProcessor:
    """Load a model that shards can be made with.

    Args:
        model: The file's bytes.

    Raises:
        UnsuitableModel: The bytes are no SentencePiece model, or it lacks what LLaMA's training needs.
    """
    processor = sentencepiece.SentencePieceProcessor()
    try:
        processor.load_from_serialized_proto(model)
    except RuntimeError as error:
        raise UnsuitableModel(f"not a SentencePiece model ({len(model)} bytes)") from error
    _check_pieces(processor)
    faults = llama_faults(processor)
    if faults:
        raise UnsuitableModel("the tokenizer does not fit LLaMA's training: " + "; ".join(faults))
    return processor


def llama_faults(processor: sentencepiece.SentencePieceProcessor) -> list[str]:
    """List what keeps a model from LLaMA's training.

    Args:
        processor: Any loaded SentencePiece model.

    Returns:
        One line for each fault: an algorithm other than BPE, special ids that are not 0, 1 and 2, byte pieces missing,
        user-defined pieces, a normaliser that changes characters. Empty when it fits.
    """
    found = {"unk": processor.unk_id(), "bos": processor.bos_id(), "eos": processor.eos_id()}
    wanted = {"unk": 0, "bos": 1, "eos": 2}
    content = _content(processor)
    algorithm = _model_type(content)
    faults = [] if algorithm == "bpe" else [f"the algorithm is {algorithm}, not bpe"]
    faults += [f"{name} id is {found[name]}, not {wanted[name]}" for name in wanted if found[name] != wanted[name]]
    byte_count = len(byte_ids(processor))
    if byte_count != _BYTE_VALUES:
        faults.append(f"byte fallback has {byte_count} of 256 byte pieces")
    put_in = [piece.piece for piece in content.pieces if piece.type == piece.USER_DEFINED]
    if put_in:
        faults.append(f"{len(put_in)} pieces are user-defined, the first {put_in[0]!r}")
    probed = processor.normalize(_NORMALIZER_PROBE)
    identical = probed in {_led_in(_NORMALIZER_PROBE), _led_in(merge_spaces(_NORMALIZER_PROBE))}
    # Rules of one's own may leave the probe as it is.
    if not identical or content.normalizer_spec.precompiled_charsmap:
        faults.append("the normaliser is not identity with a space led in")
    return faults


def changes_text(processor: sentencepiece.SentencePieceProcessor) -> bool:
    """Tell whether a model without faults drops spaces, so that decoding does not give back every text."""
    return bool(processor.normalize(_NORMALIZER_PROBE) != _led_in(_NORMALIZER_PROBE))


def merge_spaces(text: str) -> str:
    """Drop spaces at the ends and make one of each run, as SentencePiece does on ``remove_extra_whitespaces``."""
    return re.sub(" +", " ", text.strip(" "))


def byte_ids(processor: sentencepiece.SentencePieceProcessor) -> list[int]:
    """List the ids of the byte pieces there are, in the order of the bytes."""
    named = [processor.piece_to_id(f"<0x{value:02X}>") for value in range(_BYTE_VALUES)]
    return [token_id for token_id in named if processor.is_byte(token_id)]


def model_notes(file: ModelFile) -> Sequence[str]:
    """Say, a line each, how a model without faults differs from LLaMA's."""
    lines = [
        f"{name} is {_shown(value)}, LLaMA's {_shown(wanted)}" for name, (value, wanted) in file.differences.items()
    ]
    if file.settings["remove_extra_whitespaces"]:
        lines.append(
            "spaces at the ends of a text are dropped and runs of them merged: decoding does not give them back"
        )
    return lines


def _led_in(text: str) -> str:
    return SPACE_SYMBOL + text.replace(" ", SPACE_SYMBOL)


def _check_pieces(processor: sentencepiece.SentencePieceProcessor) -> None:
    for token_id in range(processor.get_piece_size()):
        try:
            processor.id_to_piece(token_id)
        except UnicodeDecodeError as error:
            raise UnsuitableModel(f"piece {token_id} of the tokenizer is not UTF-8: {error.object!r}") from error


def _content(processor: sentencepiece.SentencePieceProcessor) -> Any:
    content = sentencepiece_model_pb2.ModelProto()
    content.ParseFromString(processor.serialized_model_proto())
    return content


def _model_type(content: Any) -> str:
    return str(content.trainer_spec.ModelType.Name(content.trainer_spec.model_type)).lower()


def _setting(content: Any, name: str) -> Any:
    if name == "model_type":
        return _model_type(content)
    if name == "normalization_rule_name":
        return content.normalizer_spec.name
    value = getattr(content.normalizer_spec if name in _NORMALIZER else content.trainer_spec, name)
    # Single precision, as the file holds it.
    return round(value, 6) if isinstance(value, float) else value


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)
