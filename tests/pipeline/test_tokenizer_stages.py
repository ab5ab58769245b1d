"""The tokenizer of a run: whose text trains it, and what is left of it in the run folder."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import sentencepiece

from pipeline import token_shards
from pipeline.document import Document
from pipeline.parquet import documents_to_parquet
from pipeline.settings import SettingsError
from pipeline.stage import BatchFile
from pipeline.token_inputs import TokenInput
from pipeline.tokenizer_stages import Draw, load_encoder, make_and_write, plan_draws, read_sample, tokenizer_stage
from tests.tokenizer.conftest import STORY
from tokenizer.encoding import Encoder
from tokenizer.sampling import is_held_out
from tokenizer.settings import HeldOutSettings, TokenizerSettings, TokenShardSettings

SETTINGS = TokenizerSettings(vocab_size=400, num_threads=1, sample_bytes=1 << 16)
TEXT_BYTES = {"books": 100_000, "web": 400_000, "wiki": 6_000}


def write(folder, source, texts):
    path = folder / f"{source}.parquet"
    path.write_bytes(documents_to_parquet([Document(f"{source}/{i}", source, text) for i, text in enumerate(texts)]))
    return BatchFile(source, 0, str(path), path.stat().st_size)


@pytest.fixture
def files(tmp_path):
    """Books of 100 KB, web pages of 400 KB, a wiki of 6,000 bytes."""
    return {
        "books": [write(tmp_path, "books", [f"{i} {STORY}"[:200] for i in range(500)])],
        "web": [
            write(tmp_path, "web", [f"{i} the river rose and fell again\n"[:40].ljust(40) * 10 for i in range(1000)])
        ],
        "wiki": [write(tmp_path, "wiki", ["The mill is a mill. ".ljust(60, "x") for _ in range(100)])],
    }


def card_of(folder):
    return json.loads((folder / "tokenizer" / "card.json").read_text())


def test_the_sample_follows_the_mixtures_proportions(files, tmp_path):
    make_and_write(str(tmp_path), SETTINGS, {"web": 3, "books": 1}, TEXT_BYTES, files)
    card = card_of(tmp_path)
    assert card["sample_bytes_by_source"] == {"books": 16384, "web": 49152, "wiki": 0}
    assert (card["proportions"], card["sample_full"]) == ({"books": 1.0, "web": 3.0}, True)
    readme = (tmp_path / "tokenizer" / "README.md").read_text()
    assert "by proportions." in readme
    assert "No text in the sample: wiki." in readme


def test_what_a_source_lacks_the_others_give(files, tmp_path):
    make_and_write(str(tmp_path), SETTINGS, {"web": 1, "books": 1, "wiki": 2}, TEXT_BYTES, files)
    # The wiki is due 32,768 bytes and has 6,000: 59,536 are left to the two others.
    assert card_of(tmp_path)["sample_bytes_by_source"] == {"books": 29768, "web": 29768, "wiki": 6000}


def test_without_proportions_the_sample_goes_by_bytes_of_text(files, tmp_path):
    make_and_write(str(tmp_path), SETTINGS, None, TEXT_BYTES, files)
    sizes = card_of(tmp_path)["sample_bytes_by_source"]
    assert sizes == {
        "books": 65536 * 100_000 // 506_000,
        "web": 65536 * 400_000 // 506_000,
        "wiki": 65536 * 6000 // 506_000,
    }


def test_bytes_of_text_are_those_of_the_source_and_not_of_what_was_drawn_of_it(files, tmp_path):
    make_and_write(str(tmp_path), SETTINGS, None, {"books": 10**9, "web": 10**12 - 10**9, "wiki": 0}, files)
    assert card_of(tmp_path)["sample_bytes_by_source"] == {"books": 65, "web": 65470, "wiki": 0}


def test_other_bytes_of_text_make_another_tokenizer_unless_there_are_proportions(tmp_path):
    run = SimpleNamespace(folder=str(tmp_path))
    by_bytes = [tokenizer_stage(run, SETTINGS, None, {"web": size}, {}).settings for size in (1, 2)]
    by_share = [tokenizer_stage(run, SETTINGS, {"web": 1}, {"web": size}, {}).settings for size in (1, 2)]
    assert (by_bytes[0] == by_bytes[1], by_share[0] == by_share[1]) == (False, True)


def test_more_is_drawn_where_much_is_held_out():
    held_out = HeldOutSettings(fraction=0.75)
    (draw,) = plan_draws(TokenizerSettings(sample_bytes=1 << 30), {"web": 1 << 40}, None, held_out).values()
    assert draw.fraction == (1.25 * 2**30 + 2**25) / 2**38


def test_the_tokenizers_folder_holds_model_card_and_hugging_faces_files(files, tmp_path):
    make_and_write(str(tmp_path), SETTINGS, None, TEXT_BYTES, files)
    names = {path.name for path in (tmp_path / "tokenizer").iterdir()}
    assert names == {
        "tokenizer.model",
        "card.json",
        "README.md",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
    }


def test_a_given_model_is_copied_and_measured(files, tmp_path):
    make_and_write(str(tmp_path), SETTINGS, None, TEXT_BYTES, files)
    model = tmp_path / "tokenizer" / "tokenizer.model"
    settings = TokenizerSettings(model=str(model))
    make_and_write(str(tmp_path / "given"), settings, {"web": 1}, TEXT_BYTES, files)
    assert (tmp_path / "given" / "tokenizer" / "tokenizer.model").read_bytes() == model.read_bytes()
    card = card_of(tmp_path / "given")
    assert card["given"]
    assert card["fertility"]["wiki"]["documents"] == 100  # measured on every source, whatever the mixture


def test_a_sample_holds_no_document_that_is_held_out(files):
    file = files["web"][0]
    held_out = HeldOutSettings(fraction=0.2)
    (batch,) = read_sample(TokenInput("web", 0, file.path, file.size, 0), source="web", draw=Draw(1.0, 0, held_out))
    drawn = {document.id for document in batch.documents}
    assert drawn == {f"web/{i}" for i in range(1000) if not is_held_out(f"web/{i}", held_out)}
    assert 700 < len(drawn) < 900


def test_what_is_drawn_follows_the_proportions_and_of_a_given_model_each_source_alike():
    sizes = {"web": 1 << 40, "books": 1 << 40, "wiki": 1 << 40}
    draws = plan_draws(TokenizerSettings(sample_bytes=1 << 30), sizes, {"web": 3, "books": 1}, None)
    assert draws["web"].fraction == (1.25 * 0.75 * 2**30 + 2**25) / 2**40
    assert draws["books"].fraction == (1.25 * 0.25 * 2**30 + 2**25) / 2**40
    assert draws["wiki"].fraction == 0.0
    assert (
        len({draw.fraction for draw in plan_draws(TokenizerSettings(model="x"), sizes, {"web": 3}, None).values()}) == 1
    )


def test_workers_load_the_engine_that_the_card_names(files, tmp_path):
    make_and_write(str(tmp_path), SETTINGS, None, TEXT_BYTES, files)
    assert load_encoder(str(tmp_path)).engine_name == "kitoken"
    path = tmp_path / "tokenizer" / "card.json"
    path.write_text(path.read_text().replace('"engine": "kitoken"', '"engine": "segments"'))
    assert load_encoder(str(tmp_path)).engine_name == "segments"


def test_an_engine_refused_on_the_sample_is_said_on_the_card(files, tmp_path, monkeypatch):
    choose = Encoder.from_bytes

    def refusing(model, **options):
        encoder = choose(model, **options)
        if "trial" in options:
            encoder.engine_name, encoder.refused_engines = "segments", {"kitoken": "other ids"}
        return encoder

    monkeypatch.setattr(Encoder, "from_bytes", refusing)
    make_and_write(str(tmp_path), SETTINGS, None, TEXT_BYTES, files)
    assert card_of(tmp_path)["refused_engines"] == {"kitoken": "other ids"}
    assert "- Not by kitoken: other ids." in (tmp_path / "tokenizer" / "README.md").read_text()


@pytest.mark.parametrize(
    ("model", "fault"),
    [("nowhere.model", "No such file or directory"), ("junk.model", "not a SentencePiece model (4 bytes)")],
)
def test_a_given_model_that_is_none_stops_the_run_before_it_starts(run_demo, tmp_path, model, fault):
    (tmp_path / "junk.model").write_bytes(b"junk")
    with pytest.raises(SettingsError, match=r"tokenizer\.model: .*") as raised:
        run_demo(tmp_path / "run", f"tokenizer={{model: {tmp_path / model}}}")
    assert fault in str(raised.value)
    assert not (tmp_path / "run").exists()


def test_a_run_verifies_ids_and_counts_it(demo):
    stats = json.loads((demo / "stats" / "commoncrawl.tokens.json").read_text())
    assert stats["facts"]["verified_documents"] >= stats["batches"]
    assert stats["facts"]["differing_documents"] == 0
    outputs = json.loads((demo / "manifest.json").read_text())
    assert "tokenizer/tokenizer.json" in json.dumps(outputs)


def test_a_shard_with_a_document_that_differs_is_written_as_sentencepiece_has_it(files, tmp_path, monkeypatch):
    make_and_write(str(tmp_path), SETTINGS, None, TEXT_BYTES, files)
    model = (tmp_path / "tokenizer" / "tokenizer.model").read_bytes()
    monkeypatch.setattr(token_shards, "load_encoder", lambda _: Encoder.from_bytes(model, engine=lambda text: b"\7\0"))
    source = files["wiki"][0]
    unit = token_shards.TokenUnit("wiki", 0, 1, (TokenInput("wiki", 0, source.path, source.size, 6000),), source.size)
    writer = token_shards._WriteTokenShard(str(tmp_path), "wiki.tokens", TokenShardSettings(), None)
    list(writer.process((unit, frozenset())))
    ids = np.fromfile(next((tmp_path / "tokens" / "wiki").glob("*.bin")), "<u2")
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    text = "The mill is a mill. ".ljust(60, "x")
    assert ids.tolist() == processor.encode(text, add_bos=True, add_eos=True) * 100
    (commit,) = [json.loads(path.read_text()) for path in (tmp_path / "work" / "wiki.tokens").rglob("*.json")]
    assert commit["facts"]["differing_documents"] >= 1
