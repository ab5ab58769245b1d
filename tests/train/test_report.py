import math
import re
from dataclasses import replace

import pytest
from rich.console import Console

from train import report as report_module
from train.energy import Energy
from train.held_out import HeldOutLoss
from train.report import StepReport, TrainSummary, progress

STEP = StepReport(
    step=1,
    loss=7.25,
    grad_norm=1.5,
    learning_rate=3e-4,
    tokens_per_second=8000.0,
    tokens_per_second_per_device=8000.0,
    mfu=None,
    seconds=0.5,
    data_seconds=0.0,
)


SUMMARY = TrainSummary(
    steps=600,
    tokens=4_915_200,
    parameters=1_414_272,
    first_loss=8.2814,
    last_loss=4.2141,
    compile_seconds=4.21,
    seconds=51.2,
    output="runs/demo/train",
)


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def shown(capsys, reports, *, seconds_a_step=10.0, **settings):
    """What is written on stderr for reports that come at equal intervals."""
    clock = Clock()
    with progress(**settings, clock=clock) as show:
        for report in reports:
            clock.now += seconds_a_step
            show(report)
    return capsys.readouterr().err


def test_the_time_left_is_what_the_steps_so_far_took_on_average(capsys):
    reports = [replace(STEP, step=step) for step in (1, 2, 3, 4)]
    lines = shown(capsys, reports, steps=4, log_every=1).splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["0:00:30 left", "0:00:20 left", "0:00:10 left", "0:00:00 left"]


def test_a_resumed_run_counts_only_its_own_steps_for_the_time_left(capsys):
    (line,) = shown(capsys, [replace(STEP, step=91)], steps=100, log_every=1, first=90).splitlines()
    assert line == "step 91/100  loss 7.2500  grad norm 1.50  learning rate 3.00e-04  8,000 tokens/s  0:01:30 left"


def test_lines_come_every_few_steps_for_the_last_and_for_skipped_ones(capsys):
    reports = [replace(STEP, step=step, skipped=step == 4) for step in range(1, 8)]
    lines = shown(capsys, reports, steps=7, log_every=3).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["step 3/7", "step 4/7", "step 6/7", "step 7/7"]
    assert ["skipped" in line for line in lines] == [False, True, False, False]


def test_several_devices_and_their_utilisation_are_in_the_line():
    several = replace(STEP, tokens_per_second_per_device=1000.0, mfu=0.4967)
    assert several.line(9).endswith("8,000 tokens/s, 1,000 a device  MFU 49.7 %")


@pytest.mark.parametrize("width", [160, 80])
def test_a_terminal_shows_a_bar_and_wraps_the_figures_where_it_is_narrow(capsys, monkeypatch, width):
    monkeypatch.setattr(
        report_module, "Console", lambda *, stderr: Console(stderr=stderr, force_terminal=True, width=width)
    )
    reports = [replace(STEP, step=step, mfu=0.4967) for step in (61, 62)]
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown(capsys, reports, steps=100, log_every=1, first=60))
    assert " 60/100" in text
    last = text.split("\r")[-1]
    assert max(len(line.rstrip()) for line in last.splitlines()) <= width
    assert re.match(r"\S{20}  ?62/100 0:06:20 left", last)
    assert last.split("left")[1].split() == reports[1].figures().split()


def test_the_summary_says_all_that_is_known_at_the_end():
    losses = {
        "c4": HeldOutLoss(4.5, 1.75, 12_345, 40_000),
        "stackexchange": HeldOutLoss(3.25, math.nan, 678, 0),
        "all": HeldOutLoss(4.4349, math.nan, 13_023, 0),
    }
    energy = Energy(device_hours=0.5, watts=192, pue=1.1, kg_per_kwh=0.385)
    whole = replace(SUMMARY, mfu=0.4967, held_out=losses, skipped=2, resumed_from=300, energy=energy)
    assert whole.lines() == [
        "1,414,272 parameters, 600 steps over 4,915,200 tokens in 51.2 s, and 4.2 s to compile",
        "resumed from step 300",
        "96,000 tokens/s, 49.7 % of the devices' peak (MFU)",
        "skipped as unusual: 2 of 600 steps",
        "training loss fell: 8.281 to 4.214 nats per token",
        "held-out loss    nats per token  bits per byte         tokens",
        "  c4                     4.5000         1.7500         12,345",
        "  stackexchange          3.2500              -            678",
        "  all                    4.4349              -         13,023",
        "energy: 0.5 device-hours x 192 W x PUE 1.1 = 106 Wh; x 0.385 kg/kWh = 40.7 g CO2eq",
        "written: runs/demo/train",
    ]


def test_the_summary_of_a_plain_run_leaves_out_what_did_not_happen():
    assert replace(SUMMARY, last_loss=8.2814).lines() == [
        "1,414,272 parameters, 600 steps over 4,915,200 tokens in 51.2 s, and 4.2 s to compile",
        "96,000 tokens/s",
        "training loss did not fall: 8.281 to 8.281 nats per token",
        "energy: not known, since the devices' power is not; energy.watts says it",
        "written: runs/demo/train",
    ]
