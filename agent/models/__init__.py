"""Who proposes kernels: chat models, and the protocol that the built-in composer shares with them."""
