"""Numbers of the namespaces of wikis, from what their API says of them."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree import ElementTree

from pipeline.files import match, read_bytes

_FILE = re.compile(r"([a-z0-9_]+)-configuration\.(?:xml|json)$")
_NO_ANSWER = (ValueError, KeyError, TypeError, AttributeError, RecursionError, ElementTree.ParseError)


def read_siteinfo(folder: str) -> dict[str, dict[str, int]]:
    """Read what the API of each wiki says of its namespaces (``action=query&meta=siteinfo&siprop=namespaces|…``).

    Args:
        folder: Folder of ``<wiki>-configuration.xml`` or ``.json``.

    Returns:
        For each wiki the numbers of its namespaces by local name, English name and alias, in lower case.

    Raises:
        ValueError: There is no such file, or one is no such answer.
        OSError: The folder cannot be read.
    """
    files = match(folder.rstrip("/") + "/*")
    found = {}
    for path in (file.path for file in files):
        name = _FILE.search(path)
        if name:
            try:
                found[name[1]] = _namespaces(read_bytes(path))
            except _NO_ANSWER as error:
                raise ValueError(f"{path}: no answer of a wiki's API: {error}") from error
    if not found:
        raise ValueError(f"no file matches {folder}/*-configuration.xml or .json")
    return found


def _namespaces(content: bytes) -> dict[str, int]:
    if b"<!DOCTYPE" in content:
        raise ValueError("a document type: no answer has one")
    is_json = content.lstrip()[:1] == b"{"
    pairs = _from_json(json.loads(content)) if is_json else _from_xml(ElementTree.fromstring(content))  # noqa: S314 - no entities
    names = {name.strip().lower(): number for name, number in pairs if name.strip()}
    if not names:
        raise ValueError("it names no namespace")
    return names


def _from_xml(root: ElementTree.Element) -> Iterator[tuple[str, int]]:
    for part in ("namespacealiases", "namespaces"):
        for row in root.iterfind(f"./query/{part}/ns"):
            number = int(row.attrib["id"])
            yield row.attrib.get("canonical", ""), number
            yield row.text or "", number


def _from_json(answer: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    query = answer["query"]
    spaces = query["namespaces"]
    rows = [*query.get("namespacealiases", ()), *(spaces.values() if isinstance(spaces, dict) else spaces)]
    for row in rows:
        for field in ("canonical", "alias", "name", "*"):
            yield str(row.get(field, "")), int(row["id"])
