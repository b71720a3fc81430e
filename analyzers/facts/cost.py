"""What a net computes for one example.

Convention: multiply-adds (MACs) in affine layers and matrix products; biases, norms, activations
and pooling count 0, as in the published counts. FLOPs are twice the MACs.
"""

from __future__ import annotations

from ...compiler.graph import Graph, Layer

CONVENTION = "multiply-adds of affine layers and matrix products for one example; flops = 2 macs"


def of_layer(layer: Layer) -> int:
    return sum(node.macs for node in layer.nodes)


def of_net(graph: Graph) -> int:
    return sum(node.macs for node in graph.nodes if not node.is_input)
