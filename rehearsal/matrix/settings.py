"""Kernel settings of the struck node, altered, and put back as they were."""

from __future__ import annotations

from rehearsal.matrix.fault import Act, constant, on_node

# Kept on the node before they are altered, so that a killed run's settings are known to the next one.
_SET = """
mkdir -p /run/sh-fault || exit 1
while [ $# -gt 0 ]; do
  file=/run/sh-fault/$(printf %s "$1" | tr / -)
  [ -e "$file" ] || sysctl -n "$1" > "$file" || exit 1
  sysctl -q -w "$1=$2" || exit 1
  shift 2
done
"""
_RESTORE = """
while [ $# -gt 0 ]; do
  file=/run/sh-fault/$(printf %s "$1" | tr / -)
  if [ -e "$file" ]; then sysctl -q -w "$1=$(cat "$file")" && rm "$file" || exit 1; fi
  shift 2
done
"""


def setting(*pairs: str) -> tuple[Act, Act]:
    """Create and undo of settings: key, value, key, value, ... (keys are written with dots,
    and `flannel/1` for a link with a dot in its name)."""
    words = [constant(word) for word in pairs]
    return on_node(_SET, *words), on_node(_RESTORE, *words)
