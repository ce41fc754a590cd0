"""Conditions in a block of code: without one of them it does more than it should, a simulated slip."""

import ast
from random import Random

from kate_eval.endpoints.appworld.literals import parsed


def without_condition(code: str, rng: Random) -> str | None:
    """The block with one of its filters dropped; None if it has none.

    Conditions that end a loop are no filters.
    """
    tree = parsed(code)
    found = [node for node in ast.walk(tree) if _is_filter(node)] if tree is not None else []
    if tree is None or not found:
        return None
    return ast.unparse(_Without(rng.choice(found)).visit(tree))


def _is_filter(node: ast.AST) -> bool:
    if isinstance(node, ast.If):
        leaves = any(isinstance(inner, ast.Break | ast.Continue | ast.Raise) for inner in ast.walk(node))
        return not node.orelse and not leaves
    return isinstance(node, ast.comprehension) and bool(node.ifs)


class _Without(ast.NodeTransformer):
    def __init__(self, dropped: ast.AST) -> None:
        self._dropped = dropped

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        return node.body if node is self._dropped else node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        if node is self._dropped:
            node.ifs = []
        return node
