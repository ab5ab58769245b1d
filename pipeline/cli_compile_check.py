"""The command that compiles a training step for TPUs that are not there; it imports what it needs when it is called."""

from typing import Annotated

import typer

from pipeline.settings import SettingsError


def compile_check(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A YAML config, e.g. configs/train/7b.yaml.")],
    *,
    topology: Annotated[str, typer.Option(help="TPUs, e.g. v4:4x8x8, v5e:16x16, or 2*v6e:16x16 for two slices.")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a key of the config.")
    ] = None,
    flags: Annotated[
        list[str] | None, typer.Option("--flag", metavar="NAME=VALUE", help="An option of XLA's compiler.")
    ] = None,
    tune: Annotated[
        bool,
        typer.Option(
            help="Find accumulate and remat: the largest part of the batch, then the cheapest remat, that fit."
        ),
    ] = False,
) -> None:
    """Compile a training step ahead of time, with no TPU: does it fit, what does it send."""
    import os

    os.environ["JAX_PLATFORMS"] = "cpu"

    from pipeline.settings import load_settings

    try:
        from train.compile_check import check
        from train.compile_check import tune as try_in_turn
        from train.config import TrainSettings
        from train.topology import parse_topology
    except ModuleNotFoundError as error:
        raise SettingsError(f"the trainer needs {error.name}: install llama-corpus[train,tpu]") from error

    settings = load_settings(TrainSettings, config, overrides or [])
    try:
        options = dict(_option(flag) for flag in flags or [])
        target = parse_topology(topology)
        reports = try_in_turn(settings, target, options) if tune else iter([check(settings, target, options)])
        fits = False
        for report in reports:
            print("\n".join(report.lines()))  # noqa: T201
            fits = report.fits
    except ValueError as error:
        raise SettingsError(" ".join(str(error).split())) from error
    if not fits:
        raise typer.Exit(1)


def _option(flag: str) -> tuple[str, str]:
    name, equals, value = flag.partition("=")
    if not equals or not name:
        raise ValueError(f"--flag {flag}: must be name=value, e.g. --flag xla_tpu_scoped_vmem_limit_kib=98304")
    return name.lstrip("-"), value
