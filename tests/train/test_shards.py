import re

import numpy as np
import pytest

from tests.token_source import write_source
from tokenizer.manifest import held_out_name
from tokenizer.mixture import MixtureSettings, resolve
from train.config import TrainSettings
from train.data import Mixture
from train.loop import train
from train.shards import open_drawing, open_held_out

TOKENS = {"a": 3201, "b": 801, "tiny": 5}
CONTEXT = 8


def counting(first, tokens):
    """One shard of one document whose ids count up from ``first``, so that a window tells whose it is."""
    return [[(first + np.arange(tokens) % 100).astype(np.uint16)]]


@pytest.fixture
def run(tmp_path):
    for place, (source, tokens) in enumerate(TOKENS.items()):
        write_source(tmp_path / "tokens" / source, counting(100 * place, tokens))
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
    with pytest.raises(ValueError, match=r"^mixture\.json: sources\.gone: no such token shards"):
        open_drawing(str(run), None, seed=0)


def test_held_out_documents_are_opened_by_source(run):
    assert open_held_out(str(run)) == {}
    write_source(run / "held_out" / "b", counting(100, 7), names=[held_out_name("b", 3)])
    (shards,) = open_held_out(str(run)).values()
    assert shards.window(0, 7).tolist() == [100, 101, 102, 103, 104, 105, 106]


def damage(run, name, content):
    path = run / "tokens" / "a" / name
    path.unlink() if content is None else path.write_bytes(content(path.read_bytes()))


def refusal(run, **options):
    with pytest.raises(ValueError) as error:  # noqa: PT011 -- each test compares the whole message
        open_drawing(str(run), None, seed=0, **options)
    assert "\n" not in str(error.value)
    return str(error.value).replace(str(run), "RUN")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a-00000-of-00001.bin", None, "RUN/tokens/a/a-00000-of-00001.bin is missing"),
        (
            "a-00000-of-00001.bin",
            lambda old: old[:-2],
            "RUN/tokens/a/a-00000-of-00001.bin has 6400 bytes, its manifest says 6402",
        ),
        (
            "a-00000-of-00001.ends",
            lambda old: old[:-1],
            "RUN/tokens/a/a-00000-of-00001.ends has 7 bytes, its manifest says 8",
        ),
        (
            "a-00000-of-00001.ends",
            lambda old: bytes(8),
            "a-00000-of-00001.ends ends at token 0, its shard has 3201",
        ),
        (
            "manifest.json",
            lambda old: old[:-3],
            "RUN/tokens/a/manifest.json is not JSON",
        ),
        (
            "manifest.json",
            lambda old: old.replace(b'"uint16"', b'"uint32"'),
            "RUN/tokens/a/manifest.json: manifest: Value error, a-00000-of-00001.bin: 3201 tokens of uint32",
        ),
    ],
    ids=["no shard", "short shard", "short ends", "other ends", "no JSON", "other dtype"],
)
def test_damaged_shards_are_refused_in_one_line_before_anything_is_read(run, name, content, message):
    damage(run, name, content)
    assert refusal(run).startswith(message)


def test_shards_of_another_tokenizer_are_refused(run):
    damage(run, "manifest.json", lambda old: old.replace(b"a" * 64, b"b" * 64))
    with pytest.raises(ValueError, match=r"^sources a and b were made by different tokenizers: b+ and a+$"):
        batch(open_drawing(str(run), None, seed=0))


def test_another_checksum_is_refused_where_all_is_verified(run):
    assert open_drawing(str(run), None, seed=0, verify=True).sources["a"].num_tokens == TOKENS["a"]
    damage(run, "a-00000-of-00001.bin", lambda old: b"\x07" + old[1:])
    assert open_drawing(str(run), None, seed=0).sources["a"].window(0, 1).tolist() == [7]
    assert refusal(run, verify=True).startswith("a-00000-of-00001.bin has SHA-256 ")
    write_plan(run, proportions={"b": 1})
    assert set(open_drawing(str(run), None, seed=0, verify=True).sources) == {"b"}  # what is not read may be damaged


def test_a_plan_that_is_no_plan_is_refused(run):
    for content, message in (("{", "mixture.json is not JSON"), ("{}", "mixture.json: seed: Field required")):
        (run / "tokens" / "mixture.json").write_text(content)
        assert refusal(run).startswith(message)


def test_held_out_shards_of_another_tokenizer_are_refused(run):
    write_source(run / "held_out" / "b", counting(100, 7), names=[held_out_name("b", 3)], tokenizer_sha256="b" * 64)
    assert set(open_held_out(str(run), tokenizer_sha256="b" * 64)) == {"b"}
    with pytest.raises(ValueError, match=rf"held_out/b was written with tokenizer b+, expected {'a' * 64}$"):
        open_held_out(str(run), tokenizer_sha256="a" * 64)


def test_held_out_shards_are_verified_where_asked(run):
    write_source(run / "held_out" / "b", counting(100, 7), names=[held_out_name("b", 3)])
    path = run / "held_out" / "b" / held_out_name("b", 3)
    path.write_bytes(b"\x07" + path.read_bytes()[1:])
    assert set(open_held_out(str(run))) == {"b"}
    with pytest.raises(ValueError, match=r"^b-00003\.bin has SHA-256 "):
        open_held_out(str(run), verify=True)
