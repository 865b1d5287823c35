"""The largest matching of a bipartite graph: how many edges can be chosen of which no two share an end.

By König's theorem that is also the fewest vertices that touch every edge.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable

Edge = tuple[Hashable, Hashable]
_Graph = dict[Hashable, set[Hashable]]


def largest_matching(edges: Iterable[Edge]) -> int:
    """Return the number of edges of a largest matching; the left and right ends are two kinds of vertices.

    A vertex with one edge can always be matched along it (Karp and Sipser 1981), which settles every forest, and so
    every two ways to cut one line of numbers into ranges. What is left is matched in phases of shortest augmenting
    paths (Hopcroft and Karp 1973), in O(edges * sqrt(vertices)).
    """
    graph: _Graph = {}
    for left, right in edges:
        graph.setdefault((0, left), set()).add((1, right))
        graph.setdefault((1, right), set()).add((0, left))
    return _with_one_edge(graph) + _by_paths(graph)


def _with_one_edge(graph: _Graph) -> int:
    """Match vertices with one edge until there is none, and take both ends out of the graph."""
    matched = 0
    waiting = [vertex for vertex, near in graph.items() if len(near) == 1]
    while waiting:
        vertex = waiting.pop()
        near = graph.pop(vertex, None)
        if not near:
            continue
        (partner,) = near
        matched += 1
        for other in graph.pop(partner):
            if other in graph:
                graph[other].discard(partner)
                if len(graph[other]) == 1:
                    waiting.append(other)
    return matched


def _by_paths(graph: _Graph) -> int:
    """Match what is left."""
    lefts = [vertex for vertex in graph if vertex[0] == 0]  # type: ignore[index] # (side, name)
    mate: dict[Hashable, Hashable] = {}
    matched = 0
    while True:
        free = [left for left in lefts if left not in mate]
        layers = _layers(graph, mate, free)
        found = sum(_augment(graph, mate, layers, left) for left in free)
        if not found:
            return matched
        matched += found


def _layers(graph: _Graph, mate: dict[Hashable, Hashable], free: list[Hashable]) -> dict[Hashable, int]:
    """How many matched edges lie between a free left vertex and every left vertex that can be reached from one."""
    layers = dict.fromkeys(free, 0)
    queue = deque(free)
    while queue:
        left = queue.popleft()
        for right in graph[left]:
            other = mate.get(right)
            if other is not None and other not in layers:
                layers[other] = layers[left] + 1
                queue.append(other)
    return layers


def _augment(graph: _Graph, mate: dict[Hashable, Hashable], layers: dict[Hashable, int], start: Hashable) -> bool:
    """Follow the layers from a free left vertex to a free right one, and turn the path; without recursion."""
    path: list[tuple[Hashable, Iterable[Hashable]]] = [(start, iter(graph[start]))]
    taken: list[Hashable] = []
    while path:
        left, rest = path[-1]
        for right in rest:
            other = mate.get(right)
            if other is None:
                for (one, _), end in zip(path, [*taken, right], strict=True):
                    mate[one], mate[end] = end, one
                return True
            if layers.get(other) == layers[left] + 1:
                taken.append(right)
                path.append((other, iter(graph[other])))
                break
        else:
            layers.pop(left, None)  # nothing free lies behind it in this phase
            path.pop()
            if taken:
                taken.pop()
    return False
