import json

import pytest
import sentencepiece

from tokenizer.card import Fertility, TokenizerCard, measure_fertility
from tokenizer.encoding import Encoder
from tokenizer.settings import TokenizerSettings
from tokenizer.training import train_tokenizer


def test_fertility_counts_text_tokens_and_byte_pieces(encoder):
    # "漢漢" is the led-in space and two characters of three bytes without a piece; "\n" is a byte piece of ASCII.
    found = measure_fertility(encoder, {"wiki": ["漢漢", "\n"], "empty": []})
    assert found["wiki"] == Fertility(
        documents=2, characters=3, bytes=7, tokens=1 + 6 + 1 + 1, byte_tokens=7, non_ascii_byte_tokens=6
    )
    assert found["wiki"].ratios == {
        "characters_per_token": pytest.approx(3 / 9),
        "bytes_per_token": pytest.approx(7 / 9),
        "byte_token_fraction": pytest.approx(7 / 9),
        "non_ascii_byte_token_fraction": pytest.approx(6 / 9),
    }
    assert found["empty"].tokens == 0
    assert set(found["empty"].ratios.values()) == {None}


def test_fertility_counts_the_tokens_of_sentencepiece(encoder, trained, sample):
    processor = sentencepiece.SentencePieceProcessor(model_proto=trained.model)
    found = measure_fertility(encoder, {"sample": iter(sample)})["sample"]
    assert found.tokens == sum(len(processor.encode(text)) for text in sample)
    assert found.characters == sum(map(len, sample))
    assert found.bytes == sum(len(text.encode()) for text in sample)


@pytest.fixture
def card(trained, encoder, sample):
    fertility = measure_fertility(encoder, {"wiki": sample[:1], "code": sample[1:2]})
    return TokenizerCard.of(trained, encoder, sample_bytes_by_source={"wiki": 1234, "books": 5}, fertility=fertility)


def test_the_card_as_json_holds_settings_counts_and_ratios(card, trained):
    content = json.loads(card.to_json())
    assert content["sha256"] == trained.sha256
    assert content["settings"]["character_coverage"] == 0.99995
    assert (content["requested_vocab_size"], content["vocab_size"]) == (500, 500)
    assert content["sample_bytes_by_source"] == {"books": 5, "wiki": 1234}
    counts = content["fertility"]["wiki"]
    assert counts["bytes_per_token"] == pytest.approx(counts["bytes"] / counts["tokens"])


def test_the_card_for_people_names_every_source_and_setting(card, trained):
    text = card.to_markdown()
    assert trained.sha256 in text
    assert "500 pieces of 500 requested." in text
    assert "| books | 5 | – | – | – | – | – | – |" in text
    counts = card.fertility["wiki"]
    assert f"| wiki | 1,234 | {counts.bytes:,} | {counts.tokens:,} |" in text
    assert all(f"`{name}`" in text for name in TokenizerSettings.model_fields if name not in {"model", "proportions"})


def test_the_card_says_when_the_vocabulary_was_lowered():
    trained = train_tokenizer(["a short text"], TokenizerSettings(num_threads=1))
    encoder = Encoder.from_bytes(trained.model)
    text = TokenizerCard.of(trained, encoder, sample_bytes_by_source={}, fertility={}).to_markdown()
    assert f"{trained.vocab_size:,} pieces of 32,000 requested, the most the sample yields." in text


def test_a_card_is_read_back(card):
    assert TokenizerCard.from_json(card.to_json().encode()) == card


def test_bytes_per_token_of_a_source_that_was_not_measured_are_all_sources_average(card):
    wiki, code = card.fertility["wiki"], card.fertility["code"]
    assert card.bytes_per_token("wiki") == wiki.bytes / wiki.tokens
    assert card.bytes_per_token("books") == (wiki.bytes + code.bytes) / (wiki.tokens + code.tokens)
    assert card.model_copy(update={"fertility": {}}).bytes_per_token("wiki") == 1.0
