import pytest

from train.hlo import count

# A loop of 5 rounds around a loop of 3, as XLA prints them, with the fields that say nothing here left out.
PROGRAM = """HloModule jit_step, is_scheduled=true

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%all-reduce-scatter.1 (input: bf16[8,128]) -> bf16[4,128] {
  %input = bf16[8,128]{1,0} parameter(0)
  %all-reduce.9 = bf16[8,128]{1,0:T(8,128)(2,1)} all-reduce(%input), channel_id=1, to_apply=%add
  ROOT %slice = bf16[4,128]{1,0} dynamic-slice(%all-reduce.9), dynamic_slice_sizes={4,128}
}

%inner_condition (p: (s32[], bf16[4,128])) -> pred[] {
  %limit.1 = s32[]{:T(128)} constant(3)
  ROOT %less.1 = pred[] compare(%i, %limit.1), direction=LT
}

%inner_body (p: (s32[], bf16[4,128])) -> (s32[], bf16[4,128]) {
  %all-gather.1 = bf16[8,128]{1,0:T(8,128)(2,1)} all-gather(%x), channel_id=2, dimensions={0}
  %kernel = bf16[8,128]{1,0} custom-call(%all-gather.1), custom_call_target="tpu_custom_call"
  %fusion.1 = bf16[4,128]{1,0} fusion(%kernel), kind=kCustom, calls=%all-reduce-scatter.1
  ROOT %tuple.1 = (s32[], bf16[4,128]) tuple(%j, %fusion.1)
}

%outer_condition (p: (s32[], bf16[4,128])) -> pred[] {
  %limit.2 = s32[] constant(5)
  ROOT %less.2 = pred[] compare(%i, %limit.2), direction=LT
}

%outer_body (p: (s32[], bf16[4,128])) -> (s32[], bf16[4,128]) {
  %while.1 = (s32[], bf16[4,128]) while(%p), condition=%inner_condition, body=%inner_body
  %all-gather-start.1 = (f32[2]{0}, f32[8]{0}) all-gather-start(%y), channel_id=3, dimensions={0}
  %all-gather-done.1 = f32[8]{0} all-gather-done(%all-gather-start.1)
  ROOT %tuple.2 = (s32[], bf16[4,128]) tuple(%i, %z)
}

ENTRY %main (p: bf16[4,128]) -> bf16[4,128] {
  %whole = f32[64]{0} parameter(0)
  %reduce-scatter.1 = f32[16]{0} reduce-scatter(%whole), channel_id=4, dimensions={0}, to_apply=%add
  %all-reduce.1 = (f32[10]{0}, f32[]{:T(128)}) all-reduce(%a, %b), channel_id=5, to_apply=%add
  %while.2 = (s32[], bf16[4,128]) while(%start), condition=%outer_condition, body=%outer_body
  ROOT %out = bf16[4,128] get-tuple-element(%while.2), index=1
}
"""


def test_collectives_are_counted_as_often_as_their_loops_run():
    counts = count(PROGRAM)
    assert counts.bytes_by_kind == {
        "all-gather": 15 * 8 * 128 * 2 + 5 * 8 * 4,
        "all-reduce": 2 * (10 + 1) * 4,  # there and back
        "reduce-scatter": 15 * 8 * 128 * 2 + 64 * 4,  # the whole operand, not the piece that is left
    }
    assert counts.bytes == sum(counts.bytes_by_kind.values())
    assert (counts.collectives, counts.asynchronous, counts.kernels) == (15 + 15 + 5 + 2, 5, 15)


def test_a_loop_whose_rounds_are_changed_changes_the_count():
    assert count(PROGRAM.replace("constant(5)", "constant(7)")).kernels == 21


def test_the_whole_sum_for_all_counts_twice_and_a_program_without_collectives_nothing():
    alone = "ENTRY %main (p: f32[2]) -> f32[2] {\n  ROOT %p = f32[2]{0} parameter(0)\n}\n"
    assert count(alone).bytes_by_kind == {}
    assert count(alone).bytes == pytest.approx(0)
