import re

import numpy as np
import pytest

from tokenizer.manifest import build_manifest, held_out_name, shard_name
from tokenizer.mixture import MixtureSettings, resolve
from tokenizer.shards import pack_shard
from train.config import TrainSettings
from train.data import Mixture
from train.loop import train
from train.shards import open_drawing, open_held_out

VOCABULARY = 400
TOKENS = {"a": 3201, "b": 801, "tiny": 5}
CONTEXT = 8


def write_source(folder, source, first, tokens, name):
    """One shard of one document whose ids count up from ``first``, so that a window tells whose it is."""
    packed = pack_shard([(first + np.arange(tokens) % 100).astype(np.uint16)], np.dtype("<u2"))
    folder.mkdir(parents=True)
    for file_name, content in packed.files(name):
        (folder / file_name).write_bytes(content)
    manifest = build_manifest(
        source,
        [packed.entry(name)],
        vocab_size=VOCABULARY,
        tokenizer_sha256="a" * 64,
        dtype=np.dtype("<u2"),
        bos_id=1,
        eos_id=2,
        bos=True,
        eos=True,
    )
    (folder / "manifest.json").write_text(manifest.to_json())


@pytest.fixture
def run(tmp_path):
    for place, (source, tokens) in enumerate(TOKENS.items()):
        write_source(tmp_path / "tokens" / source, source, 100 * place, tokens, shard_name(source, 0, 1))
    return tmp_path


def write_plan(run, tokens=None, **asked):
    counts = {name: (count, 1) for name, count in (tokens or TOKENS).items()}
    plan = resolve(MixtureSettings(**asked), counts)
    (run / "tokens" / "mixture.json").write_text(plan.to_json())
    return plan


def batch(drawing, step=0):
    data = Mixture.of(
        drawing.sources,
        context=CONTEXT,
        batch_size=1000,
        seed=drawing.seed,
        weights=drawing.weights,
        shares=drawing.shares,
    )
    return data.batch(step)


def test_a_run_s_plan_says_what_is_drawn_and_in_which_shares(run):
    write_plan(run, proportions={"a": 1, "b": 3}, seed=5)
    drawing = open_drawing(str(run), None, seed=2)
    assert set(drawing.sources) == {"a", "b"}
    assert (drawing.weights, drawing.shares, drawing.seed) == (None, {"a": 250, "b": 750}, 7)
    rows = batch(drawing)
    assert np.bincount(rows[:, 0] // 100).tolist() == [250, 750]


def test_the_plan_s_seed_and_the_training_run_s_both_change_the_order(run):
    batches = []
    for planned, own in ((0, 0), (1, 0), (0, 2)):
        write_plan(run, proportions={"a": 1, "b": 3}, seed=planned)
        batches.append(batch(open_drawing(str(run), None, seed=own)).tobytes())
    assert len(set(batches)) == 3


def test_weights_of_the_training_run_s_own_go_before_the_plan(run):
    write_plan(run, proportions={"a": 1, "b": 3}, seed=5)
    drawing = open_drawing(str(run), {"a": 9.0, "b": 1.0}, seed=2)
    assert (drawing.weights, drawing.shares, drawing.seed) == ({"a": 9.0, "b": 1.0}, None, 2)
    assert np.bincount(batch(drawing)[:, 0] // 100).tolist() == [900, 100]


def test_without_a_plan_all_sources_are_one_population(run):
    drawing = open_drawing(str(run), None, seed=2)
    assert (set(drawing.sources), drawing.weights, drawing.shares) == (set(TOKENS), None, None)


def test_a_plan_by_tokens_is_one_population_of_its_sources(run):
    write_plan(run, tokens={"a": TOKENS["a"], "b": TOKENS["b"], "tiny": 0})
    drawing = open_drawing(str(run), None, seed=0)
    assert (set(drawing.sources), drawing.shares) == ({"a", "b"}, None)
    assert np.bincount(batch(drawing)[:500, 0] // 100).tolist() == [400, 100]


def test_training_follows_the_plan(run):
    settings = TrainSettings(
        data=str(run),
        model={"width": 16, "heads": 2, "layers": 1, "ffn_multiple": 8, "context": CONTEXT},
        optimizer={"warmup_steps": 0},
        batch=2,
        steps=1,
    )
    with pytest.raises(ValueError, match="source tiny holds 5 tokens"):
        train(settings)
    write_plan(run, proportions={"a": 1, "b": 3})
    assert train(settings, report=lambda _: None).steps == 1


def test_a_plan_of_other_shards_is_refused(run):
    write_plan(run, tokens={**TOKENS, "b": 802}, proportions={"a": 1, "b": 3})
    with pytest.raises(ValueError, match=r"^mixture\.json was made for 802 tokens of b, its shards hold 801: run "):
        open_drawing(str(run), None, seed=0)
    assert open_drawing(str(run), {"b": 1.0}, seed=0).shares is None


def test_a_plan_of_another_rule_of_drawing_is_refused(run):
    write_plan(run, proportions={"a": 1, "b": 3})
    path = run / "tokens" / "mixture.json"
    path.write_text(re.sub(r'"drawing": 1', '"drawing": 2', path.read_text()))
    with pytest.raises(ValueError, match=r"mixture\.json is drawn by rule 2, this version draws by rule 1"):
        open_drawing(str(run), None, seed=0)


def test_a_plan_s_source_that_is_gone_is_named(run):
    write_plan(run, tokens={**TOKENS, "gone": 5}, proportions={"a": 1, "gone": 3})
    with pytest.raises(ValueError, match=r"sources\.gone: no such token shards"):
        open_drawing(str(run), None, seed=0)


def test_held_out_documents_are_opened_by_source(run):
    assert open_held_out(str(run)) == {}
    write_source(run / "held_out" / "b", "b", 100, 7, held_out_name("b", 3))
    (shards,) = open_held_out(str(run)).values()
    assert shards.window(0, 7).tolist() == [100, 101, 102, 103, 104, 105, 106]
