"""The devices: the simulator behind worker processes; real GPUs come with a later version."""
