"""Tree to plan: operators, shapes, the graph, and the schedule that reports and runtime share."""
