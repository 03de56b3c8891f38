"""The built-in composer: reads what a task computes and writes kernel files for it from features."""

from agent.composer.composer import Composer

__all__ = ["Composer"]
