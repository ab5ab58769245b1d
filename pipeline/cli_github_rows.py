"""The command that makes GitHub's tables of what is installed; it imports what it needs when it is called."""

from typing import Annotated

import typer


def github_rows(
    folder: Annotated[str, typer.Argument(metavar="SITE_PACKAGES", help="A folder of installed Python distributions.")],
    *,
    output: Annotated[str, typer.Option(metavar="FOLDER", help="Where contents/, files/ and licenses/ go.")],
) -> None:
    """Write installed Python distributions as the tables of BigQuery's github_repos, to try the source github."""
    from pipeline.site_packages import write_tables

    written = write_tables(folder, output)
    if written.missing:
        print(f"{written.missing:,} files are listed and cannot be read; they were left out")  # noqa: T201
    without = f", {written.without_licence:,} of which state no licence" if written.without_licence else ""
    print(f"{written.repositories:,} distributions{without}, {written.files:,} files, {written.contents:,} contents")  # noqa: T201
    print(f"written: {output}")  # noqa: T201
