import pytest
from pydantic import ValidationError

from tokenizer.settings import TokenizerSettings, TokenShardSettings


def test_the_defaults_are_those_of_llamas_tokenizer_model():
    settings = TokenizerSettings()
    assert (settings.vocab_size, settings.character_coverage) == (32000, 0.99995)
    assert (settings.max_line_bytes, settings.max_piece_chars) == (4192, 16)


@pytest.mark.parametrize(
    "wrong",
    [
        {"vocab_size": 259},
        {"vocab_size": "32000"},
        {"character_coverage": 0.5},
        {"max_line_bytes": 65_536},
        {"max_piece_chars": 0},
        {"sample_bytes": 10},
        {"num_threads": 0},
        {"seed": -1},
        {"vocabulary": 32000},
    ],
)
def test_an_impossible_tokenizer_setting_is_refused_by_name(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TokenizerSettings(**wrong)


def test_beside_a_given_model_stands_no_setting_of_training():
    assert TokenizerSettings(model="llama.model", seed=3).model == "llama.model"
    whole = TokenizerSettings(model="llama.model").model_dump()
    assert TokenizerSettings(**whole).model == "llama.model"  # a resolved config, with all defaults, can be run again
    with pytest.raises(
        ValidationError, match="not trained, so leave out vocab_size, sample_bytes; on the command line"
    ):
        TokenizerSettings(model="llama.model", vocab_size=8000, sample_bytes=1 << 20)


@pytest.mark.parametrize("wrong", [{"shard_bytes": 0}, {"bos": "yes"}, {"megatron": True}, {"verified_fraction": 1.1}])
def test_an_impossible_shard_setting_is_refused_by_name(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        TokenShardSettings(**wrong)
