"""What a newcomer has to hold in the head: files, lines, import floors and import cycles of the package.

``python -m tests.floor_plan [FOLDER]`` prints them, for this package or for that of another checkout. Every import
counts: lazy ones inside functions and those for type checkers as well.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PACKAGE = "scripts_tracker"
Graph = dict[str, set[str]]


class FloorPlan(NamedTuple):
    """The import graph of a package, and the size of its files.

    Attributes:
        lines: by module, the lines of its file.
        imports: by module, the modules of the package that it imports.
    """

    lines: Mapping[str, int]
    imports: Graph

    def cycles(self) -> list[list[str]]:
        """Groups of modules that import each other, sorted, each with at least two members."""
        return [sorted(group) for group in components(self.imports) if len(group) > 1]

    def floors(self) -> int:
        """The length of the longest chain of imports; modules of a cycle stand on one floor."""
        heights: dict[str, int] = {}
        for group in components(self.imports):
            below = {target for module in group for target in self.imports[module]} - set(group)
            height = 1 + max((heights[module] for module in below), default=0)
            heights.update(dict.fromkeys(group, height))
        return max(heights.values())

    def by_room(self) -> FloorPlan:
        """The same with each folder of the package as one node; what stands at the top stays itself."""
        rooms = {module: _room(module, self.lines) for module in self.lines}
        lines: dict[str, int] = {}
        imports: Graph = {}
        for module, count in self.lines.items():
            room = rooms[module]
            lines[room] = lines.get(room, 0) + count
            imports.setdefault(room, set()).update(
                {rooms[target] for target in self.imports[module]} - {room}
            )
        return FloorPlan(lines, imports)


def read(folder: Path) -> FloorPlan:
    """Read the package below a folder."""
    paths = {_module(path.relative_to(folder)): path for path in sorted((folder / PACKAGE).rglob("*.py"))}
    sources = {module: path.read_text() for module, path in paths.items()}
    return FloorPlan(
        lines={module: len(source.splitlines()) for module, source in sources.items()},
        imports={module: set(_targets(source, paths)) - {module} for module, source in sources.items()},
    )


def components(graph: Graph) -> list[tuple[str, ...]]:
    """The strongly connected components of a graph, each after all that it points to (Tarjan's algorithm)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    result: list[tuple[str, ...]] = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for target in sorted(graph[node]):
            if target not in order:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], order[target])
        if low[node] == order[node]:
            index = stack.index(node)
            result.append(tuple(stack[index:]))
            del stack[index:]

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return result


def _module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _targets(source: str, modules: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and (package := node.module or "") in modules:
            for alias in node.names:
                submodule = f"{package}.{alias.name}"
                yield submodule if submodule in modules else package


def _room(module: str, modules: Mapping[str, int]) -> str:
    parts = module.split(".")
    is_top_level_file = len(parts) <= 2 and not any(other.startswith(f"{module}.") for other in modules)
    return module if is_top_level_file else ".".join(parts[:2])


def main(folder: Path) -> None:
    """Print the floor plan of a checkout."""
    plan = read(folder)
    flat = sum(module.count(".") == 1 for module in plan.lines)
    print(f"{len(plan.lines)} files, {sum(plan.lines.values())} lines, longest {max(plan.lines.values())}")
    print(f"{flat} names at the top, {len(plan.by_room().lines)} nodes with folders as one")
    print(f"floors: {plan.floors()} over files, {plan.by_room().floors()} over rooms")
    for title, cycles in (("files", plan.cycles()), ("rooms", plan.by_room().cycles())):
        print(f"{len(cycles)} import cycles among {title}")
        for cycle in cycles:
            print(f"  {len(cycle)}: {', '.join(cycle)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
