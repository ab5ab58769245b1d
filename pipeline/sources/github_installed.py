"""GitHub's tables made of installed Python distributions, so that the source can be tried on real files anywhere.

What comes out depends on what is installed: another environment gives other documents, an upgrade makes the stage run
again. It is known by names, versions, licences and what is recorded of the files, not by looking at them: a file that
was changed by hand after its installation is not noticed. Where the files lie decides nothing.
"""

import functools
import json
import sysconfig
from collections.abc import Sequence
from importlib.metadata import Distribution

from pipeline.commits import Commit, write_commit
from pipeline.document import Shard
from pipeline.files import WrittenFile, join, write_output
from pipeline.github_settings import GithubCollection, GithubSettings
from pipeline.inputs import below, list_shards
from pipeline.run import Run
from pipeline.settings import SettingsError
from pipeline.site_packages import InstalledFile, describe, encode_tables, find_distributions, list_files
from pipeline.sources.github_context import SOURCE
from pipeline.sources.outputs import owned
from pipeline.stage import LauncherWork, Stage, StageResult, digest_json

INSTALLED = f"{SOURCE}.installed"

#: The tables, as a collection calls them.
_TABLES = {"rows": "contents", "files": "files", "licenses": "licenses"}


def is_installed(settings: GithubSettings) -> bool:
    """Tell whether a collection is of installed distributions."""
    return any(one.installed is not None for one in settings.collections)


def check_installed(settings: GithubSettings, data: str) -> None:
    """Look whether there is what the collections ask for.

    Raises:
        SettingsError: Nothing is installed in a folder, or not what is asked for.
    """
    for position, collection in enumerate(settings.collections):
        try:
            _find(collection, data)
        except SettingsError as error:
            raise SettingsError(f"sources.{SOURCE}.collections.{position}.installed: {error}") from error


def _find(collection: GithubCollection, data: str) -> list[Distribution]:
    asked = collection.installed
    if asked is None:
        return []
    folder = sysconfig.get_paths()["purelib"] if asked.folder is None else below(asked.folder, data)
    return find_distributions(folder, asked.distributions)


def installed_stage(run: Run, settings: GithubSettings) -> Stage:
    """Give the stage that writes the tables."""
    found = {one.id: _find(one, run.settings.data) for one in settings.collections if one.installed is not None}
    inputs = {name: digest_json(describe(distributions)) for name, distributions in found.items()}
    call = functools.partial(write_installed, run.folder, found)
    count = sum(map(len, found.values()))
    run.say(INSTALLED, f"of the {count:,} distributions installed here; another environment gives other documents")
    work = LauncherWork(call, "writing the tables of what is installed")
    return Stage(INSTALLED, {}, inputs, work, owned(SOURCE, INSTALLED), counts="files")


def write_installed(folder: str, found: dict[str, list[Distribution]]) -> None:
    """Write the tables of each collection below the stage's folder; a file that cannot be read is an error."""
    outputs: list[WrittenFile] = []
    files: list[InstalledFile] = []
    for collection, distributions in found.items():
        listed = list_files(distributions)
        files += listed
        for path, content, rows in encode_tables(distributions, listed):
            outputs.append(write_output(folder, f"work/{INSTALLED}/{collection}/{path}", content, rows=rows))
        missing = [file for file in listed if file.id is None]
        if missing:
            path = f"errors/{SOURCE}/part-{INSTALLED}-{collection}.jsonl"
            outputs.append(write_output(folder, path, _error_lines(missing), rows=len(missing)))
    there = sum(file.id is not None for file in files)
    errors = {f"{SOURCE}/unreadable_file": len(files) - there} if there < len(files) else {}
    commit = Commit(INSTALLED, 0, read=len(files), kept=there, errors=errors, outputs=tuple(outputs))
    write_commit(folder, INSTALLED, commit)


def _error_lines(missing: Sequence[InstalledFile]) -> bytes:
    rows = (
        {
            "shard": f"{file.repository}@{file.ref}",
            "offset": 0,
            "inner_offset": 0,
            "cause": f"{SOURCE}/unreadable_file",
            "detail": f"{file.path} is listed and cannot be read",
            "is_record": True,
        }
        for file in missing
    )
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def use_tables(run: Run, settings: GithubSettings, written: StageResult) -> tuple[GithubSettings, list[Shard]]:
    """Give the settings in which each collection of what is installed is one of tables, and these tables as shards."""
    collections = tuple(_with_tables(run, one, written) for one in settings.collections)
    shards = [
        shard
        for own, one in zip(collections, settings.collections, strict=True)
        if one.installed is not None
        for kind in _TABLES
        for shard in list_shards(SOURCE, f"{own.id}+{kind}", getattr(own, kind), data=run.folder, key=INSTALLED)
    ]
    return settings.model_copy(update={"collections": collections}), shards


def _with_tables(run: Run, collection: GithubCollection, written: StageResult) -> GithubCollection:
    if collection.installed is None:
        return collection
    folder = f"work/{INSTALLED}/{collection.id}"
    tables = {
        kind: tuple(join(run.folder, output.path) for output in written.outputs(f"{folder}/{name}/"))
        for kind, name in _TABLES.items()
    }
    url = collection.url if "url" in collection.model_fields_set else None  # GitHub knows nothing of them
    return collection.model_copy(update={"installed": None, "url": url, **tables})
