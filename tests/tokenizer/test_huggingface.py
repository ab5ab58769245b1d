"""The exported files hold what SentencePiece does: the same ids on every text, the text back, the same bytes again."""

import io
import json
import logging

import pytest
import sentencepiece
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from tests.tokenizer.real_texts import documents, sentences
from tokenizer.encoding import Encoder
from tokenizer.engine_trial import BATTERY, around_pieces
from tokenizer.huggingface import huggingface_files, merges
from tokenizer.model_file import read_model_file
from tokenizer.settings import TokenizerSettings
from tokenizer.training import LLAMA_TRAINER, train_tokenizer

transformers = pytest.importorskip("transformers")

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
AWKWARD_TEXT = st.lists(
    st.sampled_from(
        [" ", "  ", "\n", "\t", "\0", "▁", "<s>", "</s>", "<unk>", "<0x0A>", "é", "漢", "👍🏽", "aaaa", "the", "１2"]
    )
).map("".join)
REPETITIVE = st.text(st.sampled_from("ab "), max_size=80)


def load(folder, model, **options):
    for name, content in huggingface_files(read_model_file(model), **options).items():
        (folder / name).write_bytes(content)
    return transformers.PreTrainedTokenizerFast.from_pretrained(folder)


@pytest.fixture(scope="module")
def processor(trained):
    return sentencepiece.SentencePieceProcessor(model_proto=trained.model)


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return load(tmp_path_factory.mktemp("exported"), trained.model)


@given(ANY_TEXT | AWKWARD_TEXT | REPETITIVE)
def test_transformers_gives_the_ids_of_sentencepiece(exported, processor, text):
    assert exported(text)["input_ids"] == processor.encode(text, add_bos=True)


@given(ANY_TEXT.filter(lambda text: "▁" not in text))
def test_transformers_gives_back_the_text(exported, text):
    assert exported.decode(exported(text)["input_ids"], skip_special_tokens=True) == text


def test_the_battery_has_the_ids_of_sentencepiece(exported, processor, trained):
    pieces = [piece.text for piece in read_model_file(trained.model).pieces]
    texts = [*BATTERY, *around_pieces(pieces)]
    assert [exported(text)["input_ids"] for text in texts] == processor.encode(texts, add_bos=True)


def test_overlapping_merges_go_in_sentencepieces_order(tmp_path):
    lines = ["".join("ab"[bits >> place & 1] for place in range(9)) for bits in range(512)]
    model = train_tokenizer(
        [*lines, *["a" * 16, "b" * 16, "ab" * 8] * 20], TokenizerSettings(vocab_size=400, num_threads=1)
    ).model
    exported, processor = load(tmp_path, model), sentencepiece.SentencePieceProcessor(model_proto=model)
    texts = [f"{bits:b}".replace("0", "a").replace("1", "b") for bits in range(1 << 11, 1 << 12)]
    assert exported(texts)["input_ids"] == processor.encode(texts, add_bos=True)


def test_a_model_that_merges_spaces_is_exported_with_its_normaliser(tmp_path):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["ab ab cd ab cd", "ab cd ab  cd"]),
        model_writer=model,
        minloglevel=2,
        hard_vocab_limit=False,
        **{**LLAMA_TRAINER, "vocab_size": 300, "remove_extra_whitespaces": True},
    )
    exported = load(tmp_path, model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    texts = ["", " ", "   ", " ab", "ab  cd ", "\n ab", "ab \n  cd\n", "  \t "]
    assert [exported(text)["input_ids"] for text in texts] == processor.encode(texts, add_bos=True)


@pytest.mark.parametrize(
    ("bos", "eos", "ids"), [(True, True, [1, 2]), (True, False, [1]), (False, True, [2]), (False, False, [])]
)
def test_bos_and_eos_are_put_where_the_export_says(trained, tmp_path, bos, eos, ids):
    assert load(tmp_path, trained.model, bos=bos, eos=eos)("")["input_ids"] == ids


def test_auto_tokenizer_takes_the_files_as_they_are(exported, trained, tmp_path, caplog):
    load(tmp_path, trained.model)
    (tmp_path / "tokenizer.model").write_bytes(trained.model)
    with caplog.at_level(logging.WARNING):
        auto = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert auto(" a <s>")["input_ids"] == exported(" a <s>")["input_ids"]
    assert (auto.bos_token_id, auto.eos_token_id, auto.unk_token_id, auto.pad_token_id) == (1, 2, 0, None)
    assert not caplog.records


def test_the_library_tokenizers_alone_makes_special_tokens_of_their_names(trained, tmp_path):
    load(tmp_path, trained.model)
    alone = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert alone.encode("a</s>", add_special_tokens=False).ids[-1] == 2
    alone.encode_special_tokens = True
    assert alone.encode("a</s>").ids == sentencepiece.SentencePieceProcessor(model_proto=trained.model).encode(
        "a</s>", add_bos=True
    )


def test_equal_models_give_equal_bytes_and_plain_json(trained):
    files = huggingface_files(read_model_file(trained.model))
    assert files == huggingface_files(read_model_file(trained.model))
    assert list(files) == ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
    assert all(content.endswith(b"\n") for content in files.values())
    assert json.loads(files["special_tokens_map.json"]) == {
        "unk_token": "<unk>",
        "bos_token": "<s>",
        "eos_token": "</s>",
    }
    assert json.loads(files["tokenizer_config.json"])["tokenizer_class"] == "PreTrainedTokenizerFast"


def test_merges_make_every_piece_of_two_others_and_the_best_first(trained):
    file = read_model_file(trained.model)
    normal = [piece.text for piece in file.pieces if piece.kind == "normal"]
    found = list(merges(file))
    assert {left + right for left, right in found} == {text for text in normal if len(text) > 1}
    made = [normal.index(left + right) for left, right in found]
    assert made == sorted(made)


def test_ours_sentencepiece_and_transformers_agree_on_real_texts_of_all_languages_and_sources(real_data, tmp_path):
    lines, by_source = sentences(real_data), documents(real_data)
    assert len(lines) == 10_000
    assert {source: len(texts) for source, texts in by_source.items()} == dict.fromkeys(by_source, 100)
    texts = [*lines, *(text for found in by_source.values() for text in found)]
    model = train_tokenizer(texts[::5], TokenizerSettings(vocab_size=6000, num_threads=2)).model
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    wanted = processor.encode(texts, add_bos=True)
    encoder = Encoder.from_bytes(model)
    assert encoder.engine_name == "kitoken"
    assert [ids.tolist() for ids in encoder.encode_documents(texts, bos=True, eos=False)] == wanted
    assert load(tmp_path, model)(texts)["input_ids"] == wanted
    assert [encoder.decode(ids) for ids in wanted] == [text.replace("▁", " ") for text in texts]
