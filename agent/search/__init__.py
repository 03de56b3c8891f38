"""The search: a graph of planner, coders, evaluations and critic, and the sessions that work through it."""
