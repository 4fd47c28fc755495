"""The nodes as the scheduler sees them: which slots are free, sick or gone."""

from __future__ import annotations

from dataclasses import dataclass, field

# Nodes are ample: GPUs bind first, and a request takes its share of the rest.
CPUS_PER_NODE, CPUS_PER_GPU = 128, 14
MEMORY_PER_NODE, MEMORY_PER_GPU = 2 << 40, 224 << 30

Places = tuple[tuple[int, int], ...]


@dataclass
class Node:
    """One node's free resources: slots, processors, bytes."""

    slots: int
    free: list[int] = field(default_factory=list)
    cpus: int = CPUS_PER_NODE
    memory: int = MEMORY_PER_NODE
    sick: set[int] = field(default_factory=set)
    down: bool = False

    def fits(self, gpus: int) -> bool:
        """Whether that many GPUs, with their processors and memory, are free here."""
        return (
            not self.down
            and len(self.free) >= gpus
            and self.cpus >= gpus * CPUS_PER_GPU
            and self.memory >= gpus * MEMORY_PER_GPU
        )

    def take(self, gpus: int) -> list[int]:
        """The lowest free slots, taken."""
        taken = self.free[:gpus]
        self.hold(taken)
        return taken

    def hold(self, slots: list[int]) -> None:
        """Take exactly these slots, which are free."""
        self.free = [s for s in self.free if s not in slots]
        self.cpus -= len(slots) * CPUS_PER_GPU
        self.memory -= len(slots) * MEMORY_PER_GPU

    def give(self, slots: list[int]) -> None:
        """Slots of a job that ended; a sick one stays away."""
        self.free = sorted({*self.free, *slots} - self.sick)
        self.cpus += len(slots) * CPUS_PER_GPU
        self.memory += len(slots) * MEMORY_PER_GPU

    def lose(self, slot: int) -> None:
        """A free slot turns sick."""
        self.sick.add(slot)
        self.free = [s for s in self.free if s != slot]

    def regain(self, slot: int) -> None:
        """A sick slot is well again."""
        self.sick.discard(slot)
        self.free = sorted({*self.free, slot})


def empty(nodes: int, gpus_per_node: int) -> list[Node]:
    """A fleet with everything free."""
    return [Node(gpus_per_node, list(range(gpus_per_node))) for _ in range(nodes)]


def choose(fleet: list[Node], nodes: int, gpus: int) -> list[int] | None:
    """Best fit: the nodes with the fewest free GPUs that still fit; gangs whole or not at all."""
    fitting = [i for i, node in enumerate(fleet) if node.fits(gpus)]
    if len(fitting) < nodes:
        return None
    return sorted(fitting, key=lambda i: (len(fleet[i].free), i))[:nodes]
