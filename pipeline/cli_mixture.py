"""The command that works out a mixture for the tokens of a run; it imports what it needs when it is called."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tokenizer.mixture import MixtureSettings


def mixture(
    folder: Annotated[str, typer.Argument(metavar="RUN", help="A run folder with token shards.")],
    *,
    budget: Annotated[
        float | None, typer.Option(min=1, help="Tokens of the training run, e.g. 1.4e12; as budget_tokens=.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Override a key of the config's mixture, as proportions.c4=15."
        ),
    ] = None,
) -> None:
    """Print what a mixture means for the tokens of a run: tokens, epochs, repeats. Changes nothing."""
    from pipeline.mixture_stage import count_tokens, sources_with_tokens
    from pipeline.mixture_table import print_plan
    from pipeline.settings import SettingsError
    from tokenizer.manifest import TokenShardError
    from tokenizer.mixture import MixtureError, resolve

    settings = _settings(folder, [*(overrides or ()), *(() if budget is None else (f"budget_tokens={budget!r}",))])
    try:
        sources = sources_with_tokens(folder)
        if not sources:
            raise SettingsError(f"{folder}: no token shards there (no tokens/*/manifest.json)")
        plan = resolve(settings, count_tokens(folder, sources))
    except (MixtureError, TokenShardError) as error:
        raise SettingsError(str(error)) from error
    print_plan(plan)


def _settings(folder: str, overrides: list[str]) -> "MixtureSettings":
    """Read the mixture of the config that the run was made with, and override keys of it."""
    import yaml

    from pipeline.files import exists, join, read_bytes
    from pipeline.launch import check_folder
    from pipeline.settings import SettingsError, settings_of
    from tokenizer.mixture import MixtureSettings

    check_folder(folder, "RUN")
    path = join(folder, "config.yaml")
    if not exists(path):
        raise SettingsError(f"{folder}: no run there (no config.yaml)")
    config = yaml.safe_load(read_bytes(path))
    return settings_of(MixtureSettings, overrides, config.get("mixture"))
