"""How many building blocks a blueprint needs: the modules to copy beside it into another app.

A building block is a module in `orchestration/` or `http_api/`. `make blocks` prints the table.
"""

from tests.source import ROOT, blueprint_files, import_graph, modules_below, owner_of, patterns

BUILDING_BLOCKS = ("orchestration", "http_api")
FOLDERS = (*BUILDING_BLOCKS, "activities", "blueprints")

SIMPLE = frozenset(
    {"async_http", "chaining", "entity_counter", "eternal", "fan_out", "human_approval", "monitor"}
)
MOST_SIMPLE = 8
MOST_OTHERS = 11


def most_blocks(pattern: str) -> int:
    """How many building blocks a pattern may need."""
    return MOST_SIMPLE if pattern in SIMPLE else MOST_OTHERS


def building_blocks() -> dict[str, list[str]]:
    """The building blocks that each pattern imports, directly or by way of other modules."""
    modules = {
        name: path for folder in FOLDERS for name, path in modules_below(ROOT / folder).items()
    }
    graph = import_graph(modules)
    needed = {}
    for pattern in patterns():
        found: set[str] = set()
        waiting = [f"blueprints.{stem}" for stem in blueprint_files() if owner_of(stem) == pattern]
        while waiting:
            module = waiting.pop()
            if module not in found:
                found.add(module)
                waiting += graph[module]
        # The packages themselves contain nothing but a docstring.
        blocks = (name for name in found if name.split(".")[0] in BUILDING_BLOCKS and "." in name)
        needed[pattern] = sorted(blocks)
    return needed


def main() -> None:
    for pattern, blocks in building_blocks().items():
        names = ", ".join(name.partition(".")[2] for name in blocks)
        print(f"{pattern:20} {len(blocks):2} of {most_blocks(pattern):2}  {names}")


if __name__ == "__main__":
    main()
