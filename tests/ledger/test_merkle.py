"""The tree against the published vectors of RFC 6962 implementations, and against its own definition."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ledger import merkle

# The reference leaves, roots and proofs of the Certificate Transparency project's merkle_tree_test.cc.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
A = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
B = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
C = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
D = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"
E = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
F = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]


def test_published_roots() -> None:
    assert [merkle.root(HASHES[:n]).hex() for n in range(1, 9)] == ROOTS
    assert merkle.root([]) == hashlib.sha256(b"").digest()


@pytest.mark.parametrize(
    ("index", "size", "path"),
    [
        (0, 1, []),
        (0, 8, [A, B, C]),
        (5, 8, [D, E, ROOTS[3]]),
        (2, 3, [ROOTS[1]]),
        (1, 5, [ROOTS[0], B, D]),
    ],
)
def test_published_inclusion_proofs(index: int, size: int, path: list[str]) -> None:
    assert [node.hex() for node in merkle.inclusion_proof(HASHES[:size], index)] == path


@pytest.mark.parametrize(
    ("old", "new", "proof"),
    [(1, 1, []), (1, 8, [A, B, C]), (6, 8, [F, E, ROOTS[3]]), (2, 5, [B, D])],
)
def test_published_consistency_proofs(old: int, new: int, proof: list[str]) -> None:
    assert [node.hex() for node in merkle.consistency_proof(HASHES[:new], old)] == proof


trees = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


@given(trees, st.data())
def test_inclusion_holds_and_nothing_else_does(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = merkle.inclusion_proof(leaves, index)
    root = merkle.root(leaves)
    assert merkle.inclusion_proofs(leaves)[index] == path
    assert merkle.verify_inclusion(leaves[index], index, len(leaves), path, root)
    assert not merkle.verify_inclusion(b"x" * 32, index, len(leaves), path, root)
    assert not merkle.verify_inclusion(leaves[index], index, len(leaves), [*path, b"x" * 32], root)
    assert not merkle.verify_inclusion(leaves[index], len(leaves), len(leaves), path, root)
    if path:
        assert not merkle.verify_inclusion(leaves[index], index, len(leaves), path[:-1], root)


@given(trees, st.data())
def test_consistency_holds_and_a_rewrite_does_not(leaves: list[bytes], data: st.DataObject) -> None:
    old = data.draw(st.integers(1, len(leaves)))
    proof = merkle.consistency_proof(leaves, old)
    roots = merkle.root(leaves[:old]), merkle.root(leaves)
    assert merkle.verify_consistency(old, len(leaves), *roots, proof)
    changed = [b"\x00" * 31 + b"\x01", *leaves[1:old]]
    if changed != leaves[:old]:
        assert not merkle.verify_consistency(old, len(leaves), merkle.root(changed), roots[1], proof)
    assert not merkle.verify_consistency(old, len(leaves), *roots, [*proof, b"x" * 32])


@given(trees)
def test_a_frontier_grows_as_the_tree_does(leaves: list[bytes]) -> None:
    frontier = merkle.Frontier()
    for count, leaf in enumerate(leaves, 1):
        grown = frontier.with_leaf(leaf)
        assert frontier.size == count - 1
        frontier = grown
        assert frontier.root() == merkle.root(leaves[:count])


def test_no_proof_beyond_the_tree() -> None:
    with pytest.raises(IndexError, match="no leaf 8 in a tree of 8"):
        merkle.inclusion_proof(HASHES, 8)
    with pytest.raises(IndexError, match="no tree of 9 in a tree of 8"):
        merkle.consistency_proof(HASHES, 9)
