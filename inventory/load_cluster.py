"""Reads what `doctor` is given: a site file, or the file of one cluster that is only looked at."""

from __future__ import annotations

from pathlib import Path

from inventory.errors import BadInput
from inventory.load import load_site, read_tree
from inventory.models.cluster_file import SCHEMA, ClusterFile
from inventory.models.site import Site
from inventory.schema_errors import validate
from inventory.site_files import files_of, make_absolute, problems_of_files

_FILES = files_of(ClusterFile)


def load_declared(path: Path) -> Site | ClusterFile:
    """By the file's `schema`. Raises BadInput with all that is wrong, as `load_site` does."""
    path = path.absolute()
    tree = read_tree(path)
    if tree.get(("schema",)) != SCHEMA:
        return load_site(path)
    make_absolute(tree, path.parent, _FILES)
    loaded, problems = validate(ClusterFile, tree)
    problems = [*tree.problems, *problems, *problems_of_files(tree, _FILES)]
    if problems or loaded is None:
        raise BadInput.listing(path, problems)
    return loaded
